//! What is found in templates without a tenant.

use super::*;
use crate::testing::CATALOG;

/// Returns the problems of the catalog of the tests with this template in it.
fn problems(template: &str) -> String {
    let settings = "settings: {db_host: \"\", sip_port: {type: port, default: 5060}, colour:, \
                    loud: {type: bool, default: true}, spare: {type: number, default: \"\"}}\n";
    let untyped = "settings: {db_host: \"\", sip_port: \"5060\", colour:}\n";
    let catalog = CATALOG.replace(untyped, settings).replace("{{ tenant }}", template);
    assert!(catalog.contains(template) && catalog.contains("spare"));
    check_templates(&Catalog::parse(&catalog).unwrap()).to_string()
}

#[test]
fn a_template_that_uses_what_there_is_has_no_problem() {
    for template in [
        "{{ tenant }}",
        "{{ settings.colour or host.voice }} {{ node.name }}",
        "{{ host['some-component'] if 'some-component' in host else '' }}",
        "{% for part in [1, 2] %}{{ part }}{{ loop.index }}{% endfor %}",
        "{{ 'a' if settings.loud and settings.sip_port == 5060 else 'b' }}",
        "{{ 'a' if settings.spare == '' else settings.spare }}",
        "{{ 'a' if settings.colour == 'blue' else 'b' }}",
    ] {
        assert_eq!(problems(template), "", "{template}");
    }
}

#[test]
fn a_template_that_names_nothing_is_found_without_a_tenant() {
    for (template, message) in [
        ("{{ settings.color }}", "color is not a setting of the catalog (did you mean colour?)"),
        ("{{ host.voic }}", "components.db.env.WHO: voic is not a component (did you mean voice?)"),
        ("{{ node.ip }}", "there is no name node.ip (a template can use tenant, settings.NAME"),
        ("{{ nobody }}", "there is no name nobody"),
        ("{{ tenant ", "components.db.env.WHO: cannot read"),
        ("{{ tenant|paint }}", "components.db.env.WHO: there is no filter paint (there are those"),
    ] {
        let found = problems(template);
        assert!(found.contains(message), "{template}: {found}");
    }
}

#[test]
fn a_comparison_that_never_holds_is_found() {
    let of_bool = "components.db.env.WHO: loud is true or false by itself, and is compared \
                   (write settings.loud, or not settings.loud)";
    let of_number = "components.db.env.WHO: sip_port is a number, and is compared with a text \
                     (write the number without quotes)";
    for (template, message) in [
        ("{{ 'a' if settings.loud == 'true' else 'b' }}", of_bool),
        ("{{ 'a' if 'true' == settings.loud else 'b' }}", of_bool),
        ("{{ 'a' if settings.loud != true else 'b' }}", of_bool),
        ("{{ 'a' if settings.sip_port=='5060' else 'b' }}", of_number),
        ("{{ 'a' if '5060' != settings.sip_port else 'b' }}", of_number),
    ] {
        assert_eq!(problems(template), message, "{template}");
    }
}

#[test]
fn a_name_that_is_computed_may_be_that_of_every_setting() {
    let engine = engine();
    let names = |text: &str| used(&engine, text).unwrap().into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(names("{{ settings[tenant] }}"), "settings tenant");
    assert_eq!(names("{{ settings.a.b }} {{ settings.c }}"), "settings.a.b settings.c");
    assert_eq!(names("no template: settings.a"), "");
}
