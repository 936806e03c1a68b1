//! What is decided for a host, case by case.
