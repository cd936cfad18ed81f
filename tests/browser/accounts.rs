//! The demo's second factor, its administrator and its messages, as people see them.

use serde_json::json;
use session_core::Clock as _;
use totp_rs::Totp;

use super::Chromium;
use super::demo::{ASK, DEVICES, FRAMEWORKS, TOO_PALE, give_password, log_in, log_out, said, shown};
use crate::demo::{Demo, Person, Store, code};
use crate::harness::World;

/// The page, on a demo of its own: accounts belong to all three.
async fn page(browser: &Chromium, framework: usize) -> (Demo, World) {
    let world = World::new();
    let demo = Demo::of(&world).await;
    browser.go(&demo.url(framework)).await;
    (demo, world)
}

async fn set_codes_up(browser: &Chromium) -> Totp {
    browser.click("#second-factor-new").await;
    let url = browser.find("#otpauth").await.attr("href").await.unwrap().unwrap();
    let totp = Totp::from_url(&url).unwrap();
    assert_eq!(browser.text("#key").await, totp.secret().to_base32());
    totp
}

async fn give_code(browser: &Chromium, form: &str, totp: &Totp, world: &World) {
    browser.fill("#code", &code(totp, world.clock.now())).await;
    browser.click(&format!("{form} button")).await;
}

#[tokio::test]
async fn a_second_factor_is_set_up_and_asked_for() {
    let Some(browser) = Chromium::start().await else { return };
    for (framework, name) in FRAMEWORKS.into_iter().enumerate() {
        let (_demo, world) = page(&browser, framework).await;
        log_in(&browser).await;
        let totp = set_codes_up(&browser).await;
        give_code(&browser, "#second-factor .one", &totp, &world).await;
        browser.find("#second-factor[data-state=on]").await;
        assert!(browser.text("#flash").await.contains("asks for a code"), "on {name}");
        log_out(&browser).await;

        world.advance(30);
        give_password(&browser, "alice", "wonderland").await;
        browser.fill("#code", "000 000").await;
        browser.click("#code-form button").await;
        assert!(browser.text("#login-error").await.contains("not right"), "on {name}");
        assert_eq!(browser.count("#who").await, 0);
        give_code(&browser, "#code-form", &totp, &world).await;
        assert_eq!(browser.text("#who").await, "alice", "on {name}");
        log_out(&browser).await;
    }
    browser.stop().await;
}

#[tokio::test]
async fn a_cookie_ends_with_the_browser_when_the_box_is_not_ticked() {
    let Some(browser) = Chromium::start().await else { return };
    let demo = Demo::in_memory().await;
    for (framework, name) in FRAMEWORKS.into_iter().enumerate() {
        for is_remembered in [true, false] {
            browser.go(&demo.url(framework)).await;
            if !is_remembered {
                browser.click("label[for=remember]").await;
            }
            log_in(&browser).await;
            let cookie = browser.page.get_named_cookie("session-demo").await.unwrap();
            assert_eq!(cookie.expires_datetime().is_some(), is_remembered, "on {name}");
            log_out(&browser).await;
        }
    }
    browser.stop().await;
}

#[tokio::test]
async fn a_message_is_shown_once() {
    let Some(browser) = Chromium::start().await else { return };
    let demo = Demo::in_memory().await;
    for framework in 0..3 {
        browser.go(&demo.url(framework)).await;
        log_in(&browser).await;
        assert_eq!(browser.text("#flash[role=status]").await, "You are logged in.");
        browser.go(&demo.url(framework)).await;
        browser.find("#who").await;
        assert_eq!(browser.count("#flash").await, 0);
        log_out(&browser).await;
        assert_eq!(browser.text("#reason").await, "You are logged out, on all three frameworks.");
        browser.go(&demo.url(framework)).await;
        assert_eq!(browser.text("#reason").await, "");
    }
    browser.stop().await;
}

#[tokio::test]
async fn alice_looks_as_bob_and_comes_back() {
    let Some(browser) = Chromium::start().await else { return };
    for framework in 0..3 {
        let (demo, world) = page(&browser, framework).await;
        let mut bob = Person::logged_in(&demo, 2, &world, "bob", "builder").await;
        log_in(&browser).await;
        browser.click("[data-look=bob]").await;
        assert_eq!(browser.text("#banner p").await, "You are looking as bob.");
        assert_eq!(browser.text("#who").await, "bob");
        browser.until(&format!("{DEVICES} === 2")).await;
        // Nothing of bob's is hers to end.
        assert_eq!(shown(&browser, "main button").await, ["Refresh session", "Log out", "Add one"]);
        browser.go(&format!("{}nothing", demo.url(framework))).await;
        assert_eq!(browser.text("#banner button").await, "Back to yourself");
        browser.go(&demo.url((framework + 1) % 3)).await;
        browser.click("#back").await;
        // Only an administrator's page has it. No script asks: one that runs while the page is left gets no answer.
        browser.find("[data-look=bob]").await;
        assert_eq!(browser.text("#who").await, "alice");
        assert_eq!(browser.count("#banner").await, 0);

        browser.click("[data-look=bob]").await;
        browser.find("#banner").await;
        log_out(&browser).await;
        browser.go(&demo.url(framework)).await;
        browser.find("#login-form").await;
        assert!(bob.me().await.is_some());
    }
    browser.stop().await;
}

#[tokio::test]
async fn bob_s_open_page_shows_his_new_role() {
    let Some(browser) = Chromium::start().await else { return };
    for framework in 0..3 {
        let (demo, world) = page(&browser, framework).await;
        let mut alice = Person::logged_in(&demo, 1, &world, "alice", "wonderland").await;
        give_password(&browser, "bob", "builder").await;
        assert_eq!(browser.text("#role").await, "user");
        browser.until(&format!("{DEVICES} === 1")).await;
        for role in ["admin", "user"] {
            alice.submit("/admin/role", &format!("username=bob&role={role}")).await.expect(303);
            browser.evaluate(ASK).await;
            browser.until(&said("#notice", &format!("Your role is {role} now."))).await;
            assert_eq!(browser.text(&format!("#role[data-role={role}]")).await, role);
            browser.evaluate("clearToasts()").await;
        }
        log_out(&browser).await;
    }
    browser.stop().await;
}

#[tokio::test]
async fn a_device_that_was_not_me_ends_with_all_others() {
    let Some(browser) = Chromium::start().await else { return };
    let demo = Demo::in_memory().await;
    browser.go(&demo.url(0)).await;
    log_in(&browser).await;
    for (framework, name) in FRAMEWORKS.into_iter().enumerate() {
        let elsewhere = [demo.log_in_elsewhere(0).await, demo.log_in_elsewhere(1).await];
        browser.go(&demo.url(framework)).await;
        browser.until(&format!("{DEVICES} === 3")).await;
        let label = browser.find(".not-me button").await.attr("aria-label").await.unwrap().unwrap();
        assert!(label.starts_with("This wasn't me: Firefox on Linux, logged in "), "{label}");
        browser.click(".not-me button").await;
        let told = browser.text("#flash").await;
        assert!(told.starts_with("2 other sessions of your account ended."), "{told} on {name}");
        browser.until(&format!("{DEVICES} === 1")).await;
        for cookie in &elsewhere {
            assert!(!demo.is_logged_in(cookie).await, "on {name}");
        }
    }
    browser.stop().await;
}

#[tokio::test]
async fn a_stateless_demo_hides_what_needs_a_store() {
    let Some(browser) = Chromium::start().await else { return };
    let demo = Demo::start(&Store::Stateless, "".as_ref()).await;
    for framework in 0..3 {
        browser.go(&demo.url(framework)).await;
        log_in(&browser).await;
        assert!(browser.text("#stateless").await.starts_with("Without a store there is no second factor"));
        browser.until("document.querySelector('#devices-note').textContent !== ''").await;
        assert_eq!(shown(&browser, "main button").await, ["Refresh session", "Log out", "Add one"]);
        assert_eq!(browser.evaluate(TOO_PALE).await, json!([]));
        log_out(&browser).await;
    }
    browser.stop().await;
}

#[tokio::test]
async fn without_javascript_the_forms_do_the_same() {
    let Some(browser) = Chromium::start().await else { return };
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    for framework in 0..3 {
        let (_demo, world) = page(&browser, framework).await;
        log_in(&browser).await;
        browser.click("[data-make=admin]").await;
        browser.find("[data-make=user]").await;
        assert!(browser.text("#flash").await.starts_with("The role is changed"));
        browser.click("[data-look=bob]").await;
        browser.click("#back").await;
        browser.find("#accounts").await;
        assert_eq!(browser.text("#flash").await, "You are yourself again.");
        let totp = set_codes_up(&browser).await;
        give_code(&browser, "#second-factor .one", &totp, &world).await;
        browser.find("#second-factor[data-state=on]").await;
        log_out(&browser).await;
        world.advance(30);
        give_password(&browser, "alice", "wonderland").await;
        give_code(&browser, "#code-form", &totp, &world).await;
        browser.find("#who").await;
        log_out(&browser).await;
    }
    browser.stop().await;
}

/// Fields that a screen reader has no name for.
const NAMELESS: &str = "[...document.querySelectorAll('input:not([type=hidden])')]
    .filter(({ labels }) => ![...labels].some((label) => label.textContent.trim()))
    .map(({ id }) => id)";

/// Each new thing on the pages, one page after the other.
async fn look_at_all(browser: &Chromium, demo: &Demo, world: &World, framework: usize) {
    let url = demo.url(framework);
    let check = async |what: &str| {
        browser.until("document.getAnimations().length === 0").await;
        assert_eq!(browser.evaluate(TOO_PALE).await, json!([]), "{what} on {url}");
        assert_eq!(browser.evaluate(NAMELESS).await, json!([]), "{what} on {url}");
    };
    check("login").await;
    log_in(browser).await;
    demo.log_in_elsewhere(0).await;
    browser.go(&url).await;
    browser.until(&format!("{DEVICES} === 2")).await;
    check("device").await;
    let totp = set_codes_up(browser).await;
    check("key").await;
    browser.fill("#code", "1").await;
    browser.click("#second-factor .one button").await;
    browser.find("#flash[role=alert]").await;
    check("problem").await;
    give_code(browser, "#second-factor .one", &totp, world).await;
    browser.find("#second-factor[data-state=on]").await;
    check("codes on").await;
    browser.click("[data-look=bob]").await;
    browser.find("#banner").await;
    let line = browser.evaluate("getComputedStyle(document.querySelector('#banner')).borderTopStyle").await;
    assert_eq!(line, "solid");
    check("banner").await;
    log_out(browser).await;
    give_password(browser, "alice", "wonderland").await;
    browser.find("#code-form").await;
    check("code").await;
    browser.click(".hint button").await;
    browser.find("#login-form").await;
}

#[tokio::test]
async fn all_of_it_has_contrast_and_names_by_day_by_night_and_in_forced_colours() {
    let Some(browser) = Chromium::start().await else { return };
    for (feature, value) in
        [("prefers-color-scheme", "light"), ("prefers-color-scheme", "dark"), ("forced-colors", "active")]
    {
        let features = json!([{ "name": feature, "value": value }]);
        browser.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
        for framework in 0..3 {
            let (demo, world) = page(&browser, framework).await;
            look_at_all(&browser, &demo, &world, framework).await;
        }
    }
    browser.stop().await;
}
