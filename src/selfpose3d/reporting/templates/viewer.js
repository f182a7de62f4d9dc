// The 3D view: an orbiting camera over a 2D canvas. World in mm, z up.
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("viewer-data").textContent);
  const canvas = byId("viewer"), slider = byId("viewer-frame"), chooser = byId("viewer-sequence");
  const pen = canvas.getContext("2d");
  const GRID_MM = 500, NEAR_MM = 200, FARTHER = 1.25, START = { yaw: -0.9, pitch: 0.36, zoom: 1 };
  const view = { ...START, sequence: 0, frame: 0, playing: false, due: 0 };
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const methods = data.layers.filter((name) => name !== data.truth);
  const shown = data.layers.map((name) => name === data.truth || name === methods[0]);
  const colour = (name) => name === data.truth ? style("--ink") : style(`--c${methods.indexOf(name) % 8}`);
  const sequence = () => data.sequences[view.sequence];

  // Where the people are, over the whole sequence, so that playing does not move the camera.
  const bounds = data.sequences.map(({ frames, cameras }) => {
    const points = frames.flatMap((frame) => frame.people.flat(2)).filter(Boolean);
    const all = points.length ? points : cameras.map((camera) => camera.centre);
    const range = (axis) => {
      const values = all.map((point) => point[axis]).sort((a, b) => a - b);
      return [0.05, 0.5, 0.95].map((share) => values[Math.round(share * (values.length - 1))]);
    };
    const [x, y, z] = [range(0), range(1), range(2)];
    return {
      centre: [x[1], y[1], (z[0] + z[2]) / 2],
      floor: Math.min(z[0], 0),
      radius: Math.max(...[x, y].flatMap(([low, middle, high]) => [middle - low, high - middle]), 1000),
    };
  });

  // A point as the eye sees it, from the people's centre: mm to the right, up and away.
  function turned(point, { yaw, pitch }) {
    const { centre } = bounds[view.sequence];
    const [sy, cy, sp, cp] = [Math.sin(yaw), Math.cos(yaw), Math.sin(pitch), Math.cos(pitch)];
    const [x, y, z] = point.map((value, axis) => value - centre[axis]);
    const away = x * sy + y * cy;
    return [x * cy - y * sy, away * sp + z * cp, away * cp - z * sp];
  }

  // The eye's distance: the people fill the picture, or the cameras fit in where that costs little.
  function distance(focal, width, height) {
    const near = bounds[view.sequence].radius * 2.8 + 3600;
    const needed = sequence().cameras.map((camera) => {
      const [right, up, away] = turned(camera.centre, START);
      return (focal / 0.44) * Math.max(Math.abs(right) / width, Math.abs(up) / height) - away;
    });
    return Math.min(Math.max(near, ...needed), FARTHER * near);
  }

  function projector() {
    const width = canvas.clientWidth, height = canvas.clientHeight;
    const focal = 1.25 * Math.min(width, height * 1.3), back = distance(focal, width, height) / view.zoom;
    return (point) => {
      const [right, up, away] = turned(point, view), depth = back + away;
      if (depth < NEAR_MM) return null;
      return [width / 2 + (right * focal) / depth, height / 2 - (up * focal) / depth, depth];
    };
  }

  function line(a, b, stroke, width) {
    if (!a || !b) return;
    pen.strokeStyle = stroke;
    pen.lineWidth = width;
    pen.beginPath();
    pen.moveTo(a[0], a[1]);
    pen.lineTo(b[0], b[1]);
    pen.stroke();
  }

  function drawFloor(project) {
    const { centre, floor, radius } = bounds[view.sequence];
    const half = Math.ceil((radius + 1000) / GRID_MM) * GRID_MM;
    const [x, y] = centre.map((value) => Math.round(value / GRID_MM) * GRID_MM);
    for (let at = -half; at <= half; at += GRID_MM) {
      line(project([x + at, y - half, floor]), project([x + at, y + half, floor]), style("--line"), 1);
      line(project([x - half, y + at, floor]), project([x + half, y + at, floor]), style("--line"), 1);
    }
  }

  function drawCameras(project) {
    const stroke = style("--quiet");
    for (const camera of sequence().cameras) {
      const tip = project(camera.centre), corners = camera.corners.map(project);
      corners.forEach((corner, i) => {
        line(tip, corner, stroke, 1);
        line(corner, corners[(i + 1) % 4], stroke, 1);
      });
      if (tip) {
        pen.fillStyle = stroke;
        pen.font = "11px system-ui, sans-serif";
        pen.fillText(camera.name, tip[0] + 6, tip[1] - 6);
      }
    }
  }

  // Bones of all layers, the farthest first.
  function drawPeople(project) {
    const bones = [];
    const current = sequence().frames[view.frame];
    if (!current) return;
    current.people.forEach((people, layer) => {
      if (!shown[layer]) return;
      const name = data.layers[layer], isTruth = name === data.truth, stroke = colour(name);
      for (const joints of people) {
        const points = joints.map((joint) => joint && project(joint));
        for (const [a, b] of data.bones[layer]) {
          if (points[a] && points[b]) bones.push([points[a], points[b], stroke, isTruth]);
        }
        const nose = points[data.noses[layer]];
        if (nose && !isTruth) bones.push([nose, nose, stroke, false]);
      }
    });
    bones.sort((p, q) => q[0][2] + q[1][2] - p[0][2] - p[1][2]);
    pen.lineCap = "round";
    for (const [a, b, stroke, isTruth] of bones) {
      const scale = 9000 / ((a[2] + b[2]) / 2);
      pen.globalAlpha = isTruth ? 0.55 : 1;
      line(a, b, stroke, (isTruth ? 1.4 : 2.6) * Math.min(Math.max(scale, 0.6), 2.5));
      if (a === b) {
        pen.fillStyle = stroke;
        pen.beginPath();
        pen.arc(a[0], a[1], 3.4 * Math.min(scale, 2.5), 0, 2 * Math.PI);
        pen.fill();
      }
    }
    pen.globalAlpha = 1;
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth * ratio, canvas.clientHeight * ratio].map(Math.round);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const project = projector();
    drawFloor(project);
    drawCameras(project);
    drawPeople(project);
    const current = sequence().frames[view.frame];
    slider.value = view.frame;
    byId("viewer-label").textContent = current ? `frame ${current.frame}, ${current.time.toFixed(2)} s` : "";
  }

  function choose(index) {
    Object.assign(view, { sequence: index, frame: 0 });
    slider.max = Math.max(sequence().frames.length - 1, 0);
    const has = data.layers.map((_, layer) => sequence().frames.some((frame) => frame.people[layer].length));
    if (has.includes(true) && !has.some((some, layer) => some && shown[layer])) shown[has.indexOf(true)] = true;
    [...byId("viewer-layers").children].forEach((label, layer) => {
      label.hidden = !has[layer];
      label.firstChild.checked = shown[layer];
    });
    draw();
  }

  function step(by) {
    const count = sequence().frames.length;
    if (count) view.frame = (view.frame + by + count) % count;
    draw();
  }

  function play(on) {
    view.playing = on;
    byId("viewer-play").textContent = on ? "Pause" : "Play";
    if (on) requestAnimationFrame((now) => { view.due = now; tick(now); });
  }

  function tick(now) {
    if (!view.playing) return;
    if (now >= view.due) {
      const frames = sequence().frames, before = frames[view.frame];
      step(1);
      const pause = frames[view.frame] ? (frames[view.frame].time - before.time) * 1000 : 0;
      view.due = now + (pause > 0 ? Math.min(Math.max(pause, 40), 500) : 600);
    }
    requestAnimationFrame(tick);
  }

  data.sequences.forEach(({ name }, index) => chooser.add(new Option(name, index)));
  data.layers.forEach((name, layer) => {
    const label = document.createElement("label"), box = document.createElement("input");
    const swatch = document.createElement("span");
    box.type = "checkbox";
    box.addEventListener("change", () => { shown[layer] = box.checked; draw(); });
    swatch.className = "swatch";
    swatch.style.background = name === data.truth ? "var(--ink)" : `var(--c${methods.indexOf(name) % 8})`;
    label.append(box, swatch, name);
    byId("viewer-layers").append(label);
  });
  chooser.addEventListener("change", () => choose(Number(chooser.value)));
  slider.addEventListener("input", () => { view.frame = Number(slider.value); draw(); });
  byId("viewer-play").addEventListener("click", () => play(!view.playing));
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    view.yaw += event.movementX * 0.008;
    view.pitch = Math.min(Math.max(view.pitch + event.movementY * 0.006, -0.2), 1.55);
    draw();
  });
  const zoom = (factor) => { view.zoom = Math.min(Math.max(view.zoom * factor, 0.3), 5); draw(); };
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey && document.activeElement !== canvas) return;
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * 0.001));
  }, { passive: false });
  canvas.addEventListener("dblclick", () => { Object.assign(view, START); draw(); });
  canvas.addEventListener("keydown", (event) => {
    const does = {
      " ": () => play(!view.playing), ArrowRight: () => step(1), ArrowLeft: () => step(-1),
      "+": () => zoom(1.2), "=": () => zoom(1.2), "-": () => zoom(1 / 1.2),
    }[event.key];
    if (does && !event.ctrlKey && !event.metaKey) { event.preventDefault(); does(); }
  });
  new ResizeObserver(draw).observe(canvas);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  choose(0);
})();
