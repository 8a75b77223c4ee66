//! An agent comes in, as an administrator would let it in: a token, made at the collector, pasted at the agent.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Makes a token at the running collector in the folder `collector`, and enrols an agent by it whose data folder is
/// `agent`; its agent.toml stands there afterwards. `program` is a command of the demo's program, without arguments.
///
/// # Errors
/// What the program that refused said.
pub fn enrol(
    program: impl Fn() -> Command,
    (collector, agent): (&Path, &Path),
    options: &[&str],
) -> Result<(), String> {
    let token = make_token(&program, collector, options)?;
    let mut command = program();
    command.args(["agent", "enroll", &token, "--data"]).arg(agent);
    output_of(command).map(drop)
}

/// Makes a token at the running collector in the folder `collector`.
///
/// # Errors
/// What the program that refused said.
pub fn make_token(
    program: impl Fn() -> Command,
    collector: &Path,
    options: &[&str],
) -> Result<String, String> {
    let mut command = program();
    command.args([OsStr::new("collector"), OsStr::new("--data"), collector.as_os_str()]);
    command.args(["--json", "token", "create"]).args(options);
    let answer = output_of(command)?;
    let answer: Value = serde_json::from_str(&answer).map_err(|error| error.to_string())?;
    let token = answer.get("token").and_then(Value::as_str);
    token.map(str::to_owned).ok_or_else(|| format!("no token in {answer}"))
}

fn output_of(mut command: Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}
