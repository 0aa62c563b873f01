//! The content of Secrets: by which rules it is made, and that it shows up nowhere.

use std::collections::BTreeMap;

use mlopsctl::stack::{
    Alphabet, KeyRule, RandomRule, Secret, SecretContent, SecretError, Stack, StackFile, StackSource, derive_keys,
    random_text, resolve,
};
use mlopsctl::{kubectl, plan};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::fixtures::{config, stack};

/// Stands for every random text; its pieces must be found nowhere.
const CANARY: &str = "Canary4711";

const EVERYTHING: &str = "domain: a.b
ingress: {tls: {mode: selfSigned}, basicAuth: {enabled: true}}
certManager: {enabled: true}
workflows: {archive: true}
serving: {enabled: true}
";

/// Makes the content of all Secrets of a stack, with the canary as random text.
fn contents(stack: &Stack) -> BTreeMap<String, SecretContent> {
    let mut made = BTreeMap::new();
    for secret in &stack.secrets {
        let mut count = 0;
        let random = |_: &RandomRule| {
            count += 1;
            SecretString::from(format!("{CANARY}{}{count}", secret.name))
        };
        let content = derive_keys(secret, SecretContent::new(), &made, &stack.context, random).unwrap();
        made.insert(secret.name.clone(), content);
    }
    made
}

fn value<'a>(contents: &'a BTreeMap<String, SecretContent>, secret: &str, key: &str) -> &'a str {
    contents[secret][key].expose_secret()
}

#[test]
fn random_text_has_the_length_and_letters_of_its_rule() {
    for alphabet in [Alphabet::Alphanumeric, Alphabet::Hex, Alphabet::Upper] {
        for length in [8, 20, 40, 128] {
            let text = random_text(&RandomRule { length, minimum: 8, alphabet });
            let text = text.expose_secret();
            assert_eq!(text.len(), length);
            assert!(text.chars().all(|letter| alphabet.characters().contains(letter)), "{alphabet:?}: {text}");
        }
    }
}

/// Every letter can come, none much more often than another: 64 000 draws, with a margin of nine deviations.
#[test]
fn random_text_draws_every_letter_alike() {
    for alphabet in [Alphabet::Alphanumeric, Alphabet::Hex, Alphabet::Upper] {
        let mut counts: BTreeMap<char, u32> = BTreeMap::new();
        for _ in 0..500 {
            let text = random_text(&RandomRule { length: 128, minimum: 8, alphabet });
            text.expose_secret().chars().for_each(|letter| *counts.entry(letter).or_default() += 1);
        }
        let letters = alphabet.characters().len();
        assert_eq!(counts.len(), letters);
        let expected = 64_000.0 / f64::from(u32::try_from(letters).unwrap());
        let margin = 9.0 * expected.sqrt();
        assert!(counts.values().all(|count| (f64::from(*count) - expected).abs() < margin), "{counts:?}");
    }
}

#[test]
fn alphabets_need_no_quoting_and_hold_no_letter_twice() {
    for alphabet in [Alphabet::Alphanumeric, Alphabet::Hex, Alphabet::Upper] {
        let mut letters: Vec<char> = alphabet.characters().chars().collect();
        assert!(letters.iter().all(char::is_ascii_alphanumeric));
        letters.sort_unstable();
        let all = letters.len();
        letters.dedup();
        assert_eq!(letters.len(), all);
    }
}

/// S3 keys of 20 and 40 characters, passwords of at least 24: what the products take and what cannot be guessed.
#[test]
fn rules_of_the_stack_are_long_enough() {
    for secret in stack(EVERYTHING).secrets {
        for (key, rule) in &secret.keys {
            let Some(random) = &rule.random else { continue };
            assert!(random.length >= 20 && random.minimum >= 8, "{} {key}: {random:?}", secret.name);
            assert!(random.minimum <= random.length, "{} {key}: {random:?}", secret.name);
        }
    }
}

#[test]
fn derived_keys_are_made_of_the_others() {
    let made = contents(&stack(EVERYTHING));
    let password = value(&made, "mlflow-db", "password");
    assert!(password.starts_with(CANARY));
    assert_eq!(
        value(&made, "mlflow-db", "uri"),
        format!(
            "postgresql+psycopg2://mlflow:{password}@pg-postgresql.mlops-system.svc.cluster.local:5432/mlflow?sslmode=prefer"
        )
    );
    let users = value(&made, "ingress-basic-auth", "users");
    let hash = users.strip_prefix("mlops:").unwrap();
    assert!(bcrypt::verify(value(&made, "ingress-basic-auth", "password"), hash).unwrap());
}

/// A password that a person chose may hold what a URI would take apart.
#[test]
fn a_password_in_a_uri_is_encoded() {
    let stack = stack("");
    let secret = stack.secrets.iter().find(|secret| secret.name == "mlflow-db").unwrap();
    let known = SecretContent::from([("password".to_owned(), SecretString::from("p@ss/w:rd?#%"))]);
    let made = derive_keys(secret, known, &BTreeMap::new(), &stack.context, |_| unreachable!()).unwrap();
    let uri = made["uri"].expose_secret();
    assert!(uri.contains("mlflow:p%40ss%2Fw%3Ard%3F%23%25@pg-postgresql."), "{uri}");
}

#[test]
fn the_table_of_s3_users_is_json_with_rights_for_each() {
    let stack = stack("profile: ha\nserving: {enabled: true}\n");
    let made = contents(&stack);
    let table: serde_json::Value = serde_json::from_str(value(&made, "seaweedfs-s3", "seaweedfs_s3_config")).unwrap();
    let identities = table["identities"].as_array().unwrap();
    let names: Vec<&str> = identities.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["mlflow", "argo", "loki", "serving"]);
    for identity in identities {
        let name = identity["name"].as_str().unwrap();
        let credentials = &identity["credentials"][0];
        assert_eq!(credentials["accessKey"], value(&made, &format!("{name}-s3"), "AWS_ACCESS_KEY_ID"));
        assert_eq!(credentials["secretKey"], value(&made, &format!("{name}-s3"), "AWS_SECRET_ACCESS_KEY"));
        let actions: Vec<&str> =
            identity["actions"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        let mut expected = ["Read", "Write", "List", "Tagging"].map(|action| format!("{action}:{name}")).to_vec();
        if name == "argo" {
            expected.extend(["Read:serving".to_owned(), "List:serving".to_owned()]);
        }
        assert_eq!(actions, expected, "each has its own bucket and no other, but drift reports read the served inputs");
    }
}

#[test]
fn known_values_win_over_every_kind_of_rule() {
    let stack = stack("");
    for secret in &stack.secrets {
        let known: SecretContent =
            secret.keys.iter().map(|(key, _)| (key.clone(), SecretString::from(format!("kept {key}")))).collect();
        let made = derive_keys(secret, known, &BTreeMap::new(), &stack.context, |_| panic!("{}", secret.name)).unwrap();
        for (key, _) in &secret.keys {
            assert_eq!(made[key].expose_secret(), format!("kept {key}"));
        }
    }
}

/// Somebody's own key in a Secret that exists is not lost.
#[test]
fn a_known_key_without_a_rule_stays() {
    let stack = stack("");
    let known = SecretContent::from([("extra".to_owned(), SecretString::from("mine"))]);
    let made = derive_keys(&stack.secrets[0], known, &BTreeMap::new(), &stack.context, random_text).unwrap();
    assert_eq!(made["extra"].expose_secret(), "mine");
    assert_eq!(made.len(), stack.secrets[0].keys.len() + 1);
}

/// A Secret with one derived key, in a stack of its own.
fn derived(template: &str) -> Result<SecretContent, SecretError> {
    let stack = stack("");
    let rule = KeyRule { derive: Some(template.to_owned()), ..KeyRule::default() };
    let first =
        KeyRule { random: Some(RandomRule { length: 32, minimum: 8, alphabet: Alphabet::Hex }), ..KeyRule::default() };
    let secret = Secret {
        name: "app".into(),
        keys: vec![("password".into(), first), ("line".into(), rule)],
        ..stack.secrets[0].clone()
    };
    let random = |_: &RandomRule| SecretString::from(CANARY);
    derive_keys(&secret, SecretContent::new(), &BTreeMap::new(), &stack.context, random)
}

#[test]
fn a_template_that_fails_names_secret_and_key_and_shows_no_content() {
    for template in [
        "{{ contents['other-s3'].KEY }}",
        "{{ contents.nobody }}",
        "{{ keys.passwort }}",
        "{{ keys.password.upper.more }}",
        "{{ keys.password | int }}",
        "{{ keys.password | nofilter }}",
        "{{ keys.password() }}",
        "{{ keys.password + 1 }}",
        "{{ keys.password[ }}",
        "{{ {}[keys.password].x }}",
        "{% include keys.password %}",
        "{{ [1] | map(keys.password) | list }}",
        "{{ [1] | select(keys.password) | list }}",
    ] {
        let error = derived(template).expect_err(template);
        for text in [error.to_string(), format!("{error:?}"), format!("{:?}", anyhow::Error::from(error))] {
            assert!(!text.contains(CANARY), "{template}: {text}");
            assert!(text.contains("secret app, key line"), "{template}: {text}");
        }
    }
}

#[test]
fn a_key_has_exactly_one_rule() {
    for (rule, good) in [
        (json!({"value": "x"}), true),
        (json!({"random": {"length": 20}}), true),
        (json!({"derive": "x"}), true),
        (json!({}), false),
        (json!({"value": "x", "derive": "y"}), false),
        (json!({"value": "x", "random": {"length": 20}}), false),
        (json!({"vlaue": "x"}), false),
        (json!("x"), false),
    ] {
        let catalog: StackFile = serde_json::from_value(json!({
            "apiVersion": "mlopsctl.dev/v1alpha1",
            "secrets": [{"name": "s", "title": "t", "keys": {"k": rule}}],
            "releases": [{"name": "r", "chart": {"name": "x"}, "secrets": ["s"]}],
        }))
        .unwrap();
        let found = resolve(&config(""), &catalog, &StackSource::Embedded, &BTreeMap::new());
        assert_eq!(found.is_ok(), good, "{rule}");
        if let Err(error) = found {
            assert_eq!(
                error.to_string(),
                "key `k` of Secret `s` must have exactly one of `value`, `random` and `derive`"
            );
        }
    }
}

#[test]
fn content_shows_up_in_no_debug_text() {
    let made = contents(&stack(EVERYTHING));
    let text = format!("{made:?} {made:#?}");
    assert!(!text.contains(CANARY), "{text}");
    assert!(!text.contains("postgresql+psycopg2"), "{text}");
}

/// What goes to kubectl goes by standard input.
#[test]
fn content_shows_up_in_no_call_of_a_tool() {
    let object = json!({"kind": "Secret", "metadata": {"name": "x"}, "data": {"password": CANARY}});
    for call in [kubectl::create(std::slice::from_ref(&object)), kubectl::replace(&object, "mlops-system")] {
        for text in [call.to_string(), format!("{call:?}"), format!("{:#?}", call.stdin), call.args.join(" ")] {
            assert!(!text.contains(CANARY), "{text}");
        }
    }
}

/// Values name Secrets and keys; content is made later, from the same variables.
#[test]
fn content_shows_up_in_no_values_and_no_plan() {
    let stack = stack(EVERYTHING);
    let made = contents(&stack);
    let secrets: Vec<&str> = made
        .values()
        .flat_map(SecretContent::values)
        .map(ExposeSecret::expose_secret)
        .filter(|text| text.contains(CANARY))
        .collect();
    assert!(secrets.len() > 10, "the canary is in {} values", secrets.len());
    let charts = BTreeMap::new();
    let state = mlopsctl::cluster::ClusterState::default();
    let generations = stack.secrets.iter().map(|secret| (secret.name.clone(), "0".into())).collect();
    let plan = plan::build(&plan::Inputs { stack: &stack, charts: &charts, state: &state, generations: &generations });
    let shown = format!("{stack:?} {:?}", plan.unwrap());
    assert!(!shown.contains(CANARY));
    for release in &stack.releases {
        let values = release.values.to_string();
        assert!(secrets.iter().all(|secret| !values.contains(secret)), "{}", release.name);
    }
}
