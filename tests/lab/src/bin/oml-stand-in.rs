//! The program of the images that the lab makes from contracts (`oml_lab::stand_in`).

use std::process::ExitCode;

fn main() -> ExitCode {
    oml_lab::stand_in::main()
}
