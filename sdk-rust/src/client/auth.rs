//! Signing up, in and out.

use livedrop_proto::v1;
use tonic::Code;

use super::Client;
use crate::error::Error;

impl Client {
    /// Makes an account; this client and its clones are signed in to it.
    ///
    /// # Errors
    /// `EMAIL_TAKEN`, `REQUEST_ID_REUSED`, or a general one.
    pub async fn sign_up(&self, request: v1::SignUpRequest) -> Result<v1::SignUpResponse, Error> {
        let answer = self.call(request).await?;
        self.session.set(answer.tokens.clone(), true);
        Ok(answer)
    }

    /// Signs in; this client and its clones keep the tokens.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` for an unknown e-mail and a wrong password alike, or a general one.
    pub async fn sign_in(&self, request: v1::SignInRequest) -> Result<v1::SignInResponse, Error> {
        let answer = self.call(request).await?;
        self.session.set(answer.tokens.clone(), true);
        Ok(answer)
    }

    /// Exchanges the tokens now. The client does this by itself when they are due or refused.
    ///
    /// # Errors
    /// `Unauthenticated` if nobody is signed in or the session has ended, which also forgets the tokens; or a general one.
    pub async fn refresh_token(&self) -> Result<(), Error> {
        let nobody = || Error::local(Code::Unauthenticated, "nobody is signed in");
        let current = self.session.current().ok_or_else(nobody)?;
        self.session.exchange(&self.connection, &current).await
    }

    /// Ends the session on the server and forgets the tokens. Does nothing if nobody is signed in.
    ///
    /// # Errors
    /// A general one; the tokens are kept then.
    pub async fn sign_out(&self) -> Result<(), Error> {
        let Some(tokens) = self.session.tokens() else {
            return Ok(());
        };
        let refresh_token = tokens.refresh_token;
        self.call(v1::SignOutRequest { refresh_token }).await?;
        self.session.set(None, false);
        Ok(())
    }
}
