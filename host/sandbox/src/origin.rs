//! What a component says that it was built from.

use crate::text::clip_line;
use serde::{Deserialize, Serialize};

/// What a plugin was built from, written into its component by
/// `alchemiser plugin build`. A host runs a plugin whatever it says here: it is
/// what helps people to find the sources of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The name of its crate.
    pub plugin: String,
    /// SHA-256 of the sources, in hexadecimal digits.
    pub sources: String,
    /// The files among them, by the names that they have in the component.
    pub files: Vec<String>,
    /// The version that the compiler gives itself.
    pub compiler: String,
}

impl Origin {
    /// The custom section that it stands in.
    pub const SECTION: &'static str = "alchemiser:origin";

    /// Adds it to a component that has none yet.
    pub fn write_into(&self, component: &mut Vec<u8>) {
        const CUSTOM: u8 = 0;
        // Of strings alone; there is nothing that JSON could not say.
        let data = serde_json::to_vec(self).unwrap_or_default();
        let mut content = length(Self::SECTION.len());
        content.extend(Self::SECTION.as_bytes());
        content.extend(data);
        component.push(CUSTOM);
        component.extend(length(content.len()));
        component.extend(content);
    }

    /// Reads it. Whoever made the component may have written anything; what makes
    /// no sense is as good as nothing.
    pub(crate) fn read(section: &[u8]) -> Option<Self> {
        const LARGEST: usize = 1 << 20;
        const LONGEST: usize = 256;
        let origin: Self =
            serde_json::from_slice(section.get(..section.len().min(LARGEST))?).ok()?;
        let clip = |text: &String| clip_line(text, LONGEST);
        Some(Self {
            plugin: clip(&origin.plugin),
            sources: clip(&origin.sources),
            files: origin.files.iter().map(clip).collect(),
            compiler: clip(&origin.compiler),
        })
    }
}

/// A number as LEB128, in which WebAssembly has its lengths.
fn length(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::inspect;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn origin(files: usize) -> Origin {
        Origin {
            plugin: "mine".to_owned(),
            sources: "ab".repeat(32),
            files: (0..files)
                .map(|file| format!("/project/src/{file}.rs"))
                .collect(),
            compiler: "rustc 1.95.0".to_owned(),
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        for files in [0, 3, 1000] {
            let mut component = EMPTY.to_vec();
            origin(files).write_into(&mut component);
            let inspection = inspect(&component).unwrap();
            assert_eq!(inspection.origin, Some(origin(files)));
        }
        assert_eq!(inspect(EMPTY).unwrap().origin, None);
    }

    #[test]
    fn what_makes_no_sense_is_nothing() {
        for section in [&b""[..], b"{}", b"[1]", &[255; 100], &vec![b'['; 2 << 20]] {
            assert_eq!(Origin::read(section), None);
        }
        let escaped = r#"{"plugin":"\u001b[2J","sources":"","files":[],"compiler":""}"#;
        let read = Origin::read(escaped.as_bytes()).unwrap();
        assert!(!read.plugin.contains('\u{1b}'), "{read:?}");
    }
}
