//! The self-hosted realtime service as a library: hub, authentication, HTTP and WebSocket.
