//! temp
use super::template::Template;
use super::view::View;
use hookport_plugin_api::description::Decrypt as Written;

/// x
pub struct Decrypt(Vec<Template>);
/// x
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    /// x
    #[error("x")]
    Receiver,
}
impl Decrypt {
    /// x
    pub fn compile(_: &Written) -> Result<Self, String> {
        Err("later".into())
    }
    /// x
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        self.0.iter()
    }
    /// x
    pub fn open(&self, _: &View<'_>) -> Result<Vec<u8>, DecryptError> {
        Err(DecryptError::Receiver)
    }
}
