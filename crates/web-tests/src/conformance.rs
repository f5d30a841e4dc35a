//! The suite of the backend traits, the browser's engine against itself.

use std::sync::Arc;

use js_sys::{Array, Error};
use skapi_rtc_backend::{
    Backend,
    conformance::{self, Outcome, Rig},
};
use skapi_rtc_backend_web::WebBackend;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

fn rig() -> Rig {
    let engine: Arc<dyn Backend> = Arc::new(WebBackend::default());
    Rig::new(engine.clone(), engine)
}

/// Every check: its name, and what it misses here, where it is not applicable.
#[wasm_bindgen]
pub fn checks() -> Array {
    let rig = rig();
    let listed = |check: conformance::Check| {
        let missing = check.missing(&rig).map_or(JsValue::NULL, JsValue::from_str);
        JsValue::from(Array::of2(&check.name.into(), &missing))
    };
    conformance::checks().into_iter().map(listed).collect()
}

/// Looks whether the engine behaves.
///
/// # Errors
/// With an explanation, when it does not, or there is no such check.
#[wasm_bindgen(js_name = runCheck)]
pub async fn run_check(name: String) -> Result<(), JsValue> {
    let wrong = |why: String| JsValue::from(Error::new(&why));
    let Some(check) = conformance::checks().into_iter().find(|check| check.name == name) else {
        return Err(wrong(format!("there is no check named {name}")));
    };
    match check.run(&rig()).await {
        Outcome::Passed => Ok(()),
        Outcome::NotApplicable { missing } => Err(wrong(format!("it needs {missing}"))),
        Outcome::Failed(failure) => Err(wrong(failure.to_string())),
    }
}
