//! An instance as a container engine takes it.

use std::borrow::Cow;

use oml_common::document::instance::{Container, InstanceDocument};

/// An instance whose workload is a container. None can be made from a packaged unit, so no
/// call of an engine has to refuse one.
#[derive(Debug, Clone, Copy)]
pub struct ContainerInstance<'a> {
    document: &'a InstanceDocument,
    container: &'a Container,
}

impl<'a> ContainerInstance<'a> {
    /// Returns the instance if its workload is a container.
    #[must_use]
    pub fn of(document: &'a InstanceDocument) -> Option<Self> {
        Some(Self { document, container: document.container()? })
    }

    /// Returns its document.
    #[must_use]
    pub fn document(self) -> &'a InstanceDocument {
        self.document
    }

    /// Returns its workload.
    #[must_use]
    pub fn container(self) -> &'a Container {
        self.container
    }

    /// Returns its workload with the repository from which the image is pulled, which may be a
    /// mirror's. The digest makes sure that the image is the same.
    #[must_use]
    pub fn as_pulled(self) -> Cow<'a, Container> {
        match &self.document.pull_from {
            None => Cow::Borrowed(self.container),
            Some(source) => {
                Cow::Owned(Container { repository: source.clone(), ..self.container.clone() })
            }
        }
    }
}
