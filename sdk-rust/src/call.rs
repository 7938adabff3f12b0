//! The contract's calls, as the retry loop sees them.

use std::future::Future;

use livedrop_proto::v1::{
    self, account_service_client::AccountServiceClient, auth_service_client::AuthServiceClient,
    catalog_service_client::CatalogServiceClient, drop_service_client::DropServiceClient,
    follow_service_client::FollowServiceClient, order_service_client::OrderServiceClient,
};
use tonic::{Request, Response, Status, transport::Channel};

/// Whose name a call is made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nobody's: it gets tokens or ends them.
    Anonymous,
    /// The user's if one is signed in.
    Public,
    /// The user's.
    SignedIn,
}

/// A request, and how it is sent. All calls may be repeated: they read, carry a request id, or are idempotent by nature; `SignIn` does
/// no harm, and `RefreshToken` is repeated only for as long as the server takes the repeat.
pub(crate) trait Call: Clone + Send + Sync + 'static {
    type Response: Send + 'static;
    const ACCESS: Access;

    fn send(
        channel: Channel,
        request: Request<Self>,
    ) -> impl Future<Output = Result<Response<Self::Response>, Status>> + Send;

    /// The request id, of calls that have one.
    fn request_id(&mut self) -> Option<&mut String> {
        None
    }

    /// How often the request was sent before, of calls that tell.
    fn retry_count(&mut self) -> Option<&mut i32> {
        None
    }
}

macro_rules! calls {
    ($($service:ident: $method:ident($request:ident) -> $response:ident, $access:ident $(, $field:ident: $type:ty)*;)*) => {$(
        impl Call for v1::$request {
            type Response = v1::$response;
            const ACCESS: Access = Access::$access;

            async fn send(channel: Channel, request: Request<Self>) -> Result<Response<Self::Response>, Status> {
                $service::new(channel).$method(request).await
            }

            $(fn $field(&mut self) -> Option<&mut $type> {
                Some(&mut self.$field)
            })*
        }
    )*};
}

calls! {
    AuthServiceClient: sign_up(SignUpRequest) -> SignUpResponse, Anonymous, request_id: String;
    AuthServiceClient: sign_in(SignInRequest) -> SignInResponse, Anonymous;
    AuthServiceClient: refresh_token(RefreshTokenRequest) -> RefreshTokenResponse, Anonymous;
    AuthServiceClient: sign_out(SignOutRequest) -> SignOutResponse, Anonymous;
    AccountServiceClient: get_me(GetMeRequest) -> GetMeResponse, SignedIn;
    AccountServiceClient: become_creator(BecomeCreatorRequest) -> BecomeCreatorResponse, SignedIn;
    AccountServiceClient: get_creator(GetCreatorRequest) -> GetCreatorResponse, Public;
    AccountServiceClient: update_me(UpdateMeRequest) -> UpdateMeResponse, SignedIn;
    AccountServiceClient: delete_account(DeleteAccountRequest) -> DeleteAccountResponse, SignedIn;
    AccountServiceClient: update_creator(UpdateCreatorRequest) -> UpdateCreatorResponse, SignedIn;
    CatalogServiceClient: create_product(CreateProductRequest) -> CreateProductResponse, SignedIn, request_id: String;
    CatalogServiceClient: update_product(UpdateProductRequest) -> UpdateProductResponse, SignedIn;
    CatalogServiceClient: get_product(GetProductRequest) -> GetProductResponse, Public;
    CatalogServiceClient: list_products(ListProductsRequest) -> ListProductsResponse, Public;
    CatalogServiceClient: search_products(SearchProductsRequest) -> SearchProductsResponse, Public;
    CatalogServiceClient: archive_product(ArchiveProductRequest) -> ArchiveProductResponse, SignedIn;
    CatalogServiceClient: create_image_upload(CreateImageUploadRequest) -> CreateImageUploadResponse, SignedIn, request_id: String;
    DropServiceClient: schedule_drop(ScheduleDropRequest) -> ScheduleDropResponse, SignedIn, request_id: String;
    DropServiceClient: update_drop(UpdateDropRequest) -> UpdateDropResponse, SignedIn;
    DropServiceClient: cancel_drop(CancelDropRequest) -> CancelDropResponse, SignedIn, request_id: String;
    DropServiceClient: end_drop(EndDropRequest) -> EndDropResponse, SignedIn;
    DropServiceClient: restock_drop(RestockDropRequest) -> RestockDropResponse, SignedIn, request_id: String;
    DropServiceClient: get_drop(GetDropRequest) -> GetDropResponse, Public;
    DropServiceClient: batch_get_drops(BatchGetDropsRequest) -> BatchGetDropsResponse, Public;
    DropServiceClient: list_drops(ListDropsRequest) -> ListDropsResponse, Public;
    DropServiceClient: search_drops(SearchDropsRequest) -> SearchDropsResponse, Public;
    DropServiceClient: list_ledger_records(ListLedgerRecordsRequest) -> ListLedgerRecordsResponse, Public;
    FollowServiceClient: follow(FollowRequest) -> FollowResponse, SignedIn;
    FollowServiceClient: unfollow(UnfollowRequest) -> UnfollowResponse, SignedIn;
    FollowServiceClient: check_follows(CheckFollowsRequest) -> CheckFollowsResponse, SignedIn;
    FollowServiceClient: list_followers(ListFollowersRequest) -> ListFollowersResponse, SignedIn;
    FollowServiceClient: list_following(ListFollowingRequest) -> ListFollowingResponse, SignedIn;
    OrderServiceClient: place_order(PlaceOrderRequest) -> PlaceOrderResponse, SignedIn, request_id: String, retry_count: i32;
    OrderServiceClient: pay_order(PayOrderRequest) -> PayOrderResponse, SignedIn, request_id: String, retry_count: i32;
    OrderServiceClient: cancel_order(CancelOrderRequest) -> CancelOrderResponse, SignedIn;
    OrderServiceClient: get_order(GetOrderRequest) -> GetOrderResponse, SignedIn;
    OrderServiceClient: refund_order(RefundOrderRequest) -> RefundOrderResponse, SignedIn, request_id: String;
    OrderServiceClient: get_receipt(GetReceiptRequest) -> GetReceiptResponse, SignedIn;
    OrderServiceClient: list_orders(ListOrdersRequest) -> ListOrdersResponse, SignedIn;
    OrderServiceClient: list_drop_orders(ListDropOrdersRequest) -> ListDropOrdersResponse, SignedIn;
}
