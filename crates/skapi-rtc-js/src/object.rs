//! Objects as pages get them.

use js_sys::{Object, Reflect};
use wasm_bindgen::JsValue;

/// Makes an object: `object! { "type": "success", "message": text }`.
macro_rules! object {
    ($($name:literal: $value:expr),* $(,)?) => {{
        let object = js_sys::Object::new();
        $($crate::object::set(&object, $name, $value);)*
        object
    }};
}
pub(crate) use object;

pub(crate) fn set(object: &Object, name: &str, value: impl Into<JsValue>) {
    // Refused only by objects that are frozen, and ours are new.
    let _ = Reflect::set(object, &name.into(), &value.into());
}

/// A property; `undefined` where there is none.
pub(crate) fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or_default()
}

/// A property that is a text.
pub(crate) fn text(object: &JsValue, name: &str) -> Option<String> {
    get(object, name).as_string()
}

/// The time as Skapi's client tells it: `2026-01-31T12:00:00.000Z`.
pub(crate) fn timestamp() -> JsValue {
    js_sys::Date::new_0().to_iso_string().into()
}
