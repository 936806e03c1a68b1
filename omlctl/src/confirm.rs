//! Asks a person before something is removed or made that may be a mistake.

use std::io::{self, BufRead, IsTerminal as _, Write};

use crate::error::CommandError;
use crate::output::print_note;

/// Shows what a command is about to do and asks whether to go on. Without a terminal nobody can
/// answer, so the command is refused with the option that answers.
///
/// # Errors
/// Returns a usage error if nobody can answer, and [`CommandError::Cancelled`] if the answer is
/// not yes.
pub(crate) fn confirm(summary: &str, option: &str) -> Result<(), CommandError> {
    print_note(summary);
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(CommandError::Usage(format!(
            "nothing was changed, because there is no terminal to ask whether that is meant (add {option} if it is)"
        )));
    }
    let is_yes = ask(&mut io::stdin().lock(), &mut io::stderr().lock())?;
    if is_yes { Ok(()) } else { Err(CommandError::Cancelled) }
}

/// Asks for yes or no. The end of the input and an empty line are a no.
fn ask(answers: &mut impl BufRead, questions: &mut impl Write) -> Result<bool, CommandError> {
    let mut question = "continue? [y/N] ";
    loop {
        // If the question cannot be written, nobody reads it, and the answer is no.
        let asked = questions.write_all(question.as_bytes());
        if asked.and_then(|()| questions.flush()).is_err() {
            return Ok(false);
        }
        let mut line = String::new();
        let read = answers.read_line(&mut line).map_err(CommandError::Input)?;
        match line.trim().to_lowercase().as_str() {
            "y" | "yes" => return Ok(true),
            "" | "n" | "no" => return Ok(false),
            _ if read == 0 => return Ok(false),
            _ => question = "answer y or n: ",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_goes_on() {
        let cases = [
            ("y\n", true),
            ("YES\n", true),
            ("n\n", false),
            ("\n", false),
            ("", false),
            ("what\ny\n", true),
            ("what", false),
        ];
        for (typed, goes_on) in cases {
            let mut asked = Vec::new();
            assert_eq!(ask(&mut typed.as_bytes(), &mut asked).unwrap(), goes_on, "{typed:?}");
            assert!(asked.starts_with(b"continue? [y/N] "), "{typed:?}");
        }
    }
}
