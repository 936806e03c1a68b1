use super::*;

fn filled(text: &str) -> Result<String, String> {
    let env = [("HOST", "10.0.0.1"), ("EMPTY", "")];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let words = ["server", "/data", "--one=1", "--two", "2"].map(str::to_owned);
    Context { env: &env, words: &words }.fill(text)
}

#[test]
fn variables_flags_and_words_are_filled_in() {
    assert_eq!(filled("${HOST}:${PORT:-80}").as_deref(), Ok("10.0.0.1:80"));
    assert_eq!(filled("${EMPTY:-x}${HOST:-y}").as_deref(), Ok("x10.0.0.1"));
    assert_eq!(filled("${--one}${--two}${--three:-3}").as_deref(), Ok("123"));
    assert_eq!(filled("${@1}/a").as_deref(), Ok("/data/a"));
    assert_eq!(filled("plain").as_deref(), Ok("plain"));
}

#[test]
fn a_missing_value_is_named() {
    assert_eq!(filled("${PORT}"), Err("PORT must be set".to_owned()));
    assert_eq!(filled("${EMPTY}"), Err("EMPTY must be set".to_owned()));
    assert_eq!(filled("${@9}"), Err("@9 must be set".to_owned()));
    assert_eq!(filled("${HOST"), Err("${HOST: a brace is missing".to_owned()));
}

#[test]
fn an_address_has_a_port() {
    let env = BTreeMap::from([("AT".to_owned(), "10.0.0.1".to_owned())]);
    let context = Context { env: &env, words: &[] };
    assert_eq!(context.address("${AT}:53"), Ok(("10.0.0.1".to_owned(), 53)));
    assert_eq!(context.address(":53"), Ok(("0.0.0.0".to_owned(), 53)));
    for wrong in ["${AT}", "${AT}:", "${AT}:70000"] {
        let said = context.address(wrong).expect_err("it is no address");
        assert!(said.contains("must be ADDRESS:PORT"), "{said}");
    }
}
