//! How plugins are compiled.

/// The cargo profile that plugins are built with. No manifest has it: a plugin
/// may lie in any workspace, and is the same in each.
pub const PROFILE: &str = "plugin";

/// Plugins are small, loaded often, and compiled to machine code only on the
/// host: optimising the program as a whole pays, unwinding and debug information
/// do not.
const SETTINGS: [(&str, &str); 9] = [
    ("inherits", "\"release\""),
    ("opt-level", "3"),
    ("lto", "true"),
    ("codegen-units", "1"),
    ("panic", "\"abort\""),
    ("debug", "false"),
    ("strip", "true"),
    ("overflow-checks", "true"),
    // As the project has it for `release`. Cargo would not see that the profiles
    // are the same, and build all dependencies again for a crate elsewhere.
    ("package.\"*\".debug", "false"),
];

/// The profile as cargo's arguments.
pub(crate) fn arguments() -> impl Iterator<Item = String> {
    SETTINGS.into_iter().flat_map(|(key, value)| {
        let setting = format!("profile.{PROFILE}.{key}={value}");
        ["--config".to_owned(), setting]
    })
}
