// A rater in a browser: answers, reloads the page, goes on, goes back once, and saves.
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const press = (key) => document.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
const seen = JSON.parse(sessionStorage.getItem("seen") || "[]");
const look = async () => {
  await Promise.all([...images.values()].map((picture) => picture.decode()));
  await wait(100); // and until the clock has drawn them
  const drawn = document.createElement("canvas").getContext("2d");
  drawn.drawImage(one("#left"), 0, 0);
  const painted = drawn.getImageData(0, 0, 8, 8).data.some((value) => value > 0);
  seen.push({ question: one("#question").textContent, prompt: one("#prompt").textContent, count: one("#count").textContent, painted });
};
async function rate() {
  if (!one("#start").hidden) {
    one("#rater").value = "A <b>";
    one("#who").requestSubmit();
    await wait(400);
    await look();
    press("ArrowLeft");
    press("ArrowLeft"); // the same press twice
    await wait(400);
    await look();
    document.querySelector("[data-side=right]").click();
    await wait(400);
    sessionStorage.setItem("seen", JSON.stringify(seen));
    location.reload();
    return;
  }
  await wait(400);
  await look();
  press("ArrowRight");
  await wait(400);
  press("Backspace");
  const before = document.querySelector("[data-side=right]").getAttribute("aria-pressed");
  await wait(400);
  press("ArrowLeft");
  await wait(400);
  one("#skip").click();
  one("#stop").click();
  let saved = null, name = "";
  URL.createObjectURL = (blob) => ((saved = blob), "blob:nothing");
  HTMLAnchorElement.prototype.click = function () { name = this.download; };
  one("#save").click();
  const report = { seen, before, name, saved: await saved.text(), text: one("#answers").value, summary: one("#summary").textContent };
  const output = document.createElement("pre");
  output.id = "report";
  output.textContent = JSON.stringify(report);
  document.body.append(output);
}
rate();
