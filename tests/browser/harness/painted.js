// A camera that shows a painted person, so that pictures of the page look like a call, and are small.

/** A script for the page: each camera is a canvas with somebody in this colour. */
export function paintedCamera(shirt, wall) {
  return `(${paint})(${JSON.stringify(shirt)}, ${JSON.stringify(wall)})`;
}

function paint(shirt, wall) {
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    const stream = await ask(constraints);
    for (const track of stream.getVideoTracks()) {
      stream.removeTrack(track);
      stream.addTrack(painting(track));
    }
    return stream;
  };

  function painting(camera) {
    const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 400 });
    const at = canvas.getContext("2d");
    at.scale(0.5, 0.5);
    const shape = (colour, draw) => {
      at.fillStyle = colour;
      at.beginPath();
      draw();
      at.fill();
    };
    const draw = () => {
      shape(wall, () => at.rect(0, 0, 1280, 800));
      shape("#ffffff22", () => at.roundRect(90, 90, 260, 340, 14));
      shape("#00000018", () => at.rect(0, 640, 1280, 160));
      shape("#3d6b4f", () => at.ellipse(1120, 470, 60, 150, 0.3, 0, 7));
      shape("#4c8262", () => at.ellipse(1060, 500, 50, 130, -0.4, 0, 7));
      shape("#b5714a", () => at.roundRect(1030, 590, 120, 110, 16));
      shape(shirt, () => at.ellipse(640, 860, 320, 270, 0, 0, 7));
      shape("#d9a07c", () => at.roundRect(585, 500, 110, 150, 50));
      shape("#e5b08c", () => at.ellipse(640, 400, 130, 165, 0, 0, 7));
      shape("#4a3226", () => at.ellipse(640, 300, 150, 100, 0, Math.PI, 0));
      shape("#4a3226", () => at.ellipse(515, 350, 34, 110, 0, 0, 7));
      shape("#4a3226", () => at.ellipse(765, 350, 34, 110, 0, 0, 7));
      shape("#2b1d16", () => at.ellipse(590, 395, 11, 13, 0, 0, 7));
      shape("#2b1d16", () => at.ellipse(690, 395, 11, 13, 0, 0, 7));
      shape("#b3574b", () => at.ellipse(640, 478, 42, 22, 0, 0, Math.PI));
    };
    draw();
    const timer = setInterval(draw, 200);
    const [track] = canvas.captureStream(5).getVideoTracks();
    const stop = track.stop.bind(track);
    track.stop = () => {
      clearInterval(timer);
      camera.stop();
      stop();
    };
    return track;
  }
}
