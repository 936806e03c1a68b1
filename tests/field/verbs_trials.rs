//! Trials of what actions declare, without a host.

use std::collections::BTreeSet;

use anyhow::{Result, anyhow};
use oml_tests::trial::check;

use crate::action::{Action, Effect};
use crate::actions::all;
use crate::verbs::meaning;

/// Returns what is wrong with the effects that an action declares.
fn wrong(action: &Action) -> Option<String> {
    let declared: BTreeSet<Effect> = action.effects.iter().copied().collect();
    let shown = |why: String| Some(format!("{:?} ({}): {why}", action.name, action.script));
    match meaning(action.script) {
        Err(why) => shown(why),
        Ok(meaning) => {
            let allowed: BTreeSet<Effect> =
                meaning.required.union(&meaning.allowed).copied().collect();
            let is_right = meaning.required.is_subset(&declared) && declared.is_subset(&allowed);
            let why = || format!("declares {declared:?}, and its commands mean {meaning:?}");
            if is_right { None } else { shown(why()) }
        }
    }
}

/// Checks that the commands of every action have the effects that it declares.
pub(crate) fn run() -> Result<()> {
    try_scripts()?;
    let wrong: BTreeSet<String> = all().filter_map(wrong).collect();
    let wrong: Vec<String> = wrong.into_iter().collect();
    check(wrong.is_empty(), format!("wrong rows:\n{}", wrong.join("\n")))
}

/// Checks that a wrong declaration would be found.
fn try_scripts() -> Result<()> {
    let known: &[(&str, &[Effect])] = &[
        ("systemctl stop $U", &[Effect::Stops]),
        ("echo x > f; systemctl restart --no-block $U", &[Effect::Starts]),
        ("p=$(docker inspect -f x $C) && systemctl disable --now $U", &[Effect::Stops]),
        ("systemctl mask --now $U", &[Effect::Stops, Effect::ForgetsStop]),
        ("cd /etc/systemd/system && rm -f $U && ln -s /dev/null $U", &[Effect::ForgetsStop]),
        ("rm -f /etc/systemd/system/$U.d/50-oml.conf", &[]),
        ("docker commit $C c >/dev/null && docker run -d c", &[Effect::MakesForeign]),
        ("systemctl kill -s KILL omlagent", &[Effect::EndsAgent]),
        ("systemctl start omlagent", &[]),
        ("systemctl restart dbus", &[Effect::EndsBus]),
        ("mount -o remount,size=$(df -k /d | tail -1)k /d", &[]),
    ];
    for (script, effects) in known {
        let found = meaning(script).map_err(|why| anyhow!("{script}: {why}"))?.required;
        check(found == effects.iter().copied().collect(), format!("{script}: {found:?}"))?;
    }
    for script in [
        "systemctl isolate $U",
        "docker swarm init",
        "python3 x",
        "systemctl restart $U",
        "systemctl stop $U; echo done",
    ] {
        check(meaning(script).is_err(), format!("{script} has a meaning"))?;
    }
    Ok(())
}
