//! Camera, microphone and screen: `navigator.mediaDevices` (W3C Media Capture and Streams).
//!
//! A browser has them only on `localhost` and over `https`.

use js_sys::Promise;
use skapi_rtc_backend::MediaError;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    DisplayMediaStreamConstraints, MediaDeviceInfo, MediaDevices, MediaStream,
    MediaStreamConstraints,
};

use crate::convert::text_of;

/// `getUserMedia`: camera and microphone, with the user's permission.
///
/// # Errors
/// When the user refuses, there is no such device, or the page is not on `localhost` or `https`.
pub async fn user_media(constraints: &MediaStreamConstraints) -> Result<MediaStream, MediaError> {
    stream(devices()?.get_user_media_with_constraints(constraints)).await
}

/// `getDisplayMedia`: the screen or a window, which the user chooses.
///
/// # Errors
/// When the user refuses, or the page is not on `localhost` or `https`.
pub async fn display_media(
    constraints: &DisplayMediaStreamConstraints,
) -> Result<MediaStream, MediaError> {
    stream(devices()?.get_display_media_with_constraints(constraints)).await
}

/// `enumerateDevices`: cameras, microphones and loudspeakers. Their names are empty until the user has
/// allowed one of them.
///
/// # Errors
/// When the page is not on `localhost` or `https`.
pub async fn list() -> Result<Vec<MediaDeviceInfo>, MediaError> {
    let list = settled(devices()?.enumerate_devices()).await?;
    Ok(js_sys::Array::from(&list).iter().map(JsCast::unchecked_into).collect())
}

fn devices() -> Result<MediaDevices, MediaError> {
    let no_devices = || {
        MediaError::Unsupported(
            "no devices here: a browser has them only on localhost and over https".to_owned(),
        )
    };
    let window = web_sys::window().ok_or_else(no_devices)?;
    let devices = window.navigator().media_devices().map_err(|_| no_devices())?;
    // Outside a secure context the property is there and has no value.
    if devices.is_undefined() { Err(no_devices()) } else { Ok(devices) }
}

async fn stream(asked: Result<Promise, JsValue>) -> Result<MediaStream, MediaError> {
    Ok(settled(asked).await?.unchecked_into())
}

async fn settled(asked: Result<Promise, JsValue>) -> Result<JsValue, MediaError> {
    let refused = |error: JsValue| MediaError::Engine(text_of(&error));
    JsFuture::from(asked.map_err(refused)?).await.map_err(refused)
}
