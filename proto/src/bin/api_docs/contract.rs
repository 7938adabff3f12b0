//! The contract as a reader sees it: names, comments and types, without the numbers of the wire.

use std::{collections::HashMap, error::Error};

use prost::Message as _;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet, ServiceDescriptorProto,
    field_descriptor_proto::{Label, Type},
};

/// The package that the page is about.
const PACKAGE: &str = "livedrop.v1";

/// Everything in the package, in the order of its files.
#[derive(Debug, Default)]
pub(crate) struct Contract {
    pub(crate) services: Vec<Service>,
    pub(crate) messages: Vec<Message>,
    pub(crate) enums: Vec<Enum>,
}

#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) comment: String,
    pub(crate) calls: Vec<Call>,
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) comment: String,
    pub(crate) request: String,
    pub(crate) response: String,
    pub(crate) is_stream: bool,
}

#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) name: String,
    pub(crate) comment: String,
    pub(crate) fields: Vec<Field>,
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) comment: String,
    pub(crate) kind: Kind,
    /// The group of which at most one field is set.
    pub(crate) one_of: Option<String>,
}

/// What a field holds.
#[derive(Debug)]
pub(crate) enum Kind {
    One(Value),
    Optional(Value),
    Many(Value),
    Map(Value, Value),
}

#[derive(Debug)]
pub(crate) enum Value {
    /// A number, text and the like, or a type from elsewhere.
    Plain(String),
    /// A message or enum of the package.
    Ours(String),
}

#[derive(Debug)]
pub(crate) struct Enum {
    pub(crate) name: String,
    pub(crate) comment: String,
    pub(crate) values: Vec<EnumValue>,
}

#[derive(Debug)]
pub(crate) struct EnumValue {
    pub(crate) name: String,
    pub(crate) comment: String,
}

impl Contract {
    /// From an encoded `FileDescriptorSet` with comments.
    pub(crate) fn read(descriptors: &[u8]) -> Result<Self, Box<dyn Error>> {
        let set = FileDescriptorSet::decode(descriptors)?;
        let mut files: Vec<_> = set
            .file
            .iter()
            .filter(|file| file.package() == PACKAGE)
            .collect();
        files.sort_by_key(|file| file.name());
        let mut contract = Self::default();
        for file in files {
            contract.add(file);
        }
        if contract.services.is_empty() {
            return Err(format!("no service in {PACKAGE}").into());
        }
        Ok(contract)
    }

    // The numbers are those of the fields in descriptor.proto: a path leads through them and indices to an element.

    fn add(&mut self, file: &FileDescriptorProto) {
        let comments = Comments::of(file);
        for (index, service) in (0..).zip(&file.service) {
            self.services.push(read_service(service, index, &comments));
        }
        for (index, message) in (0..).zip(&file.message_type) {
            self.add_message(message, "", vec![4, index], &comments);
        }
        for (index, kind) in (0..).zip(&file.enum_type) {
            self.enums.push(read_enum(kind, "", &[5, index], &comments));
        }
    }

    /// A message and what is declared in it.
    fn add_message(
        &mut self,
        message: &DescriptorProto,
        outer: &str,
        path: Vec<i32>,
        comments: &Comments<'_>,
    ) {
        let name = format!("{outer}{}", message.name());
        let fields = (0..).zip(&message.field).map(|(index, field)| Field {
            name: field.name().to_owned(),
            comment: comments.at(&path, &[2, index]),
            kind: kind(field, message),
            one_of: one_of(field, message),
        });
        self.messages.push(Message {
            comment: comments.at(&path, &[]),
            fields: fields.collect(),
            name: name.clone(),
        });
        let outer = format!("{name}.");
        for (index, inner) in (0..).zip(&message.nested_type) {
            // The entries of a map are shown at its field.
            if !is_map_entry(inner) {
                let path = [path.as_slice(), &[3, index]].concat();
                self.add_message(inner, &outer, path, comments);
            }
        }
        for (index, inner) in (0..).zip(&message.enum_type) {
            let path = [path.as_slice(), &[4, index]].concat();
            self.enums.push(read_enum(inner, &outer, &path, comments));
        }
    }
}

fn read_service(service: &ServiceDescriptorProto, index: i32, comments: &Comments<'_>) -> Service {
    let path = [6, index];
    let call = |(index, method): (i32, &prost_types::MethodDescriptorProto)| Call {
        name: method.name().to_owned(),
        comment: comments.at(&path, &[2, index]),
        request: local_name(method.input_type()).to_owned(),
        response: local_name(method.output_type()).to_owned(),
        is_stream: method.server_streaming(),
    };
    Service {
        name: service.name().to_owned(),
        comment: comments.at(&path, &[]),
        calls: (0..).zip(&service.method).map(call).collect(),
    }
}

fn read_enum(
    kind: &EnumDescriptorProto,
    outer: &str,
    path: &[i32],
    comments: &Comments<'_>,
) -> Enum {
    let values = (0..).zip(&kind.value).map(|(index, value)| EnumValue {
        name: value.name().to_owned(),
        comment: comments.at(path, &[2, index]),
    });
    Enum {
        name: format!("{outer}{}", kind.name()),
        comment: comments.at(path, &[]),
        values: values.collect(),
    }
}

/// `.livedrop.v1.Order` as `Order`; a type from elsewhere as its own package calls it.
fn local_name(path: &str) -> &str {
    let path = path.trim_start_matches('.');
    path.strip_prefix(PACKAGE)
        .and_then(|name| name.strip_prefix('.'))
        .unwrap_or(path)
}

fn kind(field: &FieldDescriptorProto, message: &DescriptorProto) -> Kind {
    let is_many = field.label() == Label::Repeated;
    let entry = message.nested_type.iter().find(|inner| {
        is_map_entry(inner) && field.type_name().ends_with(&format!(".{}", inner.name()))
    });
    match entry.map(|entry| entry.field.as_slice()) {
        Some([key, of]) if is_many => Kind::Map(value(key), value(of)),
        Some(_) | None if is_many => Kind::Many(value(field)),
        Some(_) | None if field.proto3_optional() => Kind::Optional(value(field)),
        Some(_) | None => Kind::One(value(field)),
    }
}

fn one_of(field: &FieldDescriptorProto, message: &DescriptorProto) -> Option<String> {
    // The compiler puts each optional field into a group of its own.
    let index = field.oneof_index.filter(|_| !field.proto3_optional())?;
    let group = message.oneof_decl.get(usize::try_from(index).ok()?)?;
    Some(group.name().to_owned())
}

fn is_map_entry(message: &DescriptorProto) -> bool {
    message
        .options
        .as_ref()
        .is_some_and(|options| options.map_entry())
}

fn value(field: &FieldDescriptorProto) -> Value {
    if !field.type_name().is_empty() {
        let name = local_name(field.type_name());
        return match name.rsplit_once('.') {
            Some((package, name)) if package.starts_with("google.") => Value::Plain(name.into()),
            Some(_) | None => Value::Ours(name.to_owned()),
        };
    }
    // As in `TYPE_INT64`.
    let name = Type::as_str_name(&field.r#type()).trim_start_matches("TYPE_");
    Value::Plain(name.to_ascii_lowercase())
}

/// A file's comments by the path of what they stand above.
struct Comments<'a>(HashMap<&'a [i32], &'a str>);

impl<'a> Comments<'a> {
    fn of(file: &'a FileDescriptorProto) -> Self {
        let locations = file.source_code_info.iter().flat_map(|info| &info.location);
        Self(
            locations
                .map(|it| (it.path.as_slice(), it.leading_comments()))
                .collect(),
        )
    }

    fn at(&self, path: &[i32], inner: &[i32]) -> String {
        let path = [path, inner].concat();
        let comment = self.0.get(path.as_slice()).copied();
        comment.unwrap_or_default().to_owned()
    }
}
