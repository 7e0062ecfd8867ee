//! What a bundle makes of the packs that it includes: nothing of it is silent.

use crate::bundle::{Bundle, MANIFEST};
use crate::pack::PackCopy;
use crate::problem::Problem;
use crate::rule::Mode;

pub(super) fn look(bundle: &Bundle, problems: &mut Vec<Problem>) {
    for rule in &bundle.rules {
        let Some((origin, from)) = rule.origin.as_ref().and_then(|o| Some((o, o.switched_from?))) else {
            continue;
        };
        let line = bundle.packs.iter().find(|pack| pack.owns(&rule.id)).map_or(0, |pack| pack.line);
        let what = |then| {
            format!(
                "rule `{}` of pack {} is switched from {} to {}: {then}",
                rule.id,
                origin.pack,
                from.as_str(),
                rule.mode.as_str()
            )
        };
        let problem = match rule.mode {
            Mode::Off => Problem::warning(
                MANIFEST,
                what("it is neither applied nor reported"),
                "prefer an exception, which has a reason, an approver and an end",
            ),
            Mode::Shadow => Problem::warning(
                MANIFEST,
                what("it is reported and not applied"),
                "enforce it once the reports show that it can be",
            ),
            Mode::Enforce => Problem::note(MANIFEST, what("it is applied"), "nothing to do"),
        };
        problems.push(problem.on(line));
    }
    for pack in &bundle.packs {
        let name = &pack.manifest.name;
        for (parameter, value) in &pack.parameters {
            let default = pack.manifest.parameters.get(parameter).map(|p| p.default.to_string());
            let what = format!(
                "included pack `{name}`: `{parameter}` is {value}; the pack's own value is {}",
                default.unwrap_or_default()
            );
            problems.push(Problem::note(MANIFEST, what, "nothing to do if that is meant").on(pack.line));
        }
        match &pack.copy {
            PackCopy::Same | PackCopy::Own => {}
            PackCopy::OtherVersion(version) => problems.push(
                Problem::note(
                    MANIFEST,
                    format!(
                        "included pack `{name}` is of version {}; version {version} ships with this program",
                        pack.manifest.version
                    ),
                    "`bailiwick policy pack add` replaces it; look at the difference before you commit it",
                )
                .on(pack.line),
            ),
            PackCopy::Edited(files) => problems.extend(files.iter().map(|file| {
                Problem::warning(
                    file,
                    format!("the file is not that of pack {name} {}", pack.manifest.version),
                    "put rules of your own under rules/, or give the pack another name",
                )
            })),
        }
    }
    for name in &bundle.idle_packs {
        problems.push(Problem::warning(
            format!("packs/{name}"),
            "the bundle does not include this pack, so nothing of it applies",
            "add it to `include` in bundle.yaml, or remove the folder",
        ));
    }
}
