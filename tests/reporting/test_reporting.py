"""Tables, figures and the report, from invented result files."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
from selenium.webdriver.common.by import By

from browser import console_errors, open_browser, requested_urls
from invented_results import (
    HIGH_MPJPE,
    LOW_MPJPE,
    write_agreement,
    write_benchmarks,
    write_experiment,
    write_invented_scene,
    write_label_quality,
    write_reprojection,
    write_rig_check,
    write_stage,
    write_truth,
)
from selfpose3d.errors import InputError
from selfpose3d.files.atomic import read_json, write_json
from selfpose3d.files.poses3d import read_poses3d
from selfpose3d.files.results import read_curves, write_divergence
from selfpose3d.files.scenes import read_scene
from selfpose3d.geometry.cameras import Camera
from selfpose3d.pipeline import gather_curves, source_note
from selfpose3d.reporting.charts import bar_chart, line_chart
from selfpose3d.reporting.facts import label_tables, reprojection_tables
from selfpose3d.reporting.figures import (
    chain_of,
    curves_svg,
    draw_people,
    pictures,
    read_benchmarks,
    skeleton_svg,
    time_by_rule,
    visible_joints,
)
from selfpose3d.reporting.published import PUBLISHED_DATA, read_published
from selfpose3d.reporting.report import (
    Footage,
    ReportInputs,
    render_report,
    stage_titles,
    write_report,
)
from selfpose3d.reporting.tables import METRICS, make_table, read_table, row_of, write_table

REFERENCE = Path(__file__).parents[2] / "results" / "reference"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    scene = write_invented_scene(folder / "scenes" / "studio_test_00", "studio_test_00", "studio")
    write_invented_scene(folder / "scenes" / "demo", "demo", "pose2sim_demo")
    truth = write_truth(folder / "truth.parquet", scene)
    write_experiment(folder / "free", "Training-free", truth, LOW_MPJPE)
    for seed in (0, 1):
        write_experiment(folder / f"net-seed{seed}", "SelfPose3d (images)", truth, HIGH_MPJPE, seed)
    demo = read_scene(folder / "scenes" / "demo")
    write_truth(folder / "demo.parquet", demo)
    write_stage(folder / "stages" / "pose_l2-12ab")
    write_benchmarks(folder / "benchmarks")
    write_label_quality(folder)
    write_reprojection(folder / "reprojection.json")
    return folder


@pytest.fixture(scope="module")
def inputs(results: Path) -> ReportInputs:
    table = results / "tables" / "methods"
    rows = [[results / "free"], [results / "net-seed0", results / "net-seed1"]]
    write_table(rows, "Methods", table, published=[REFERENCE / "table_1.csv"])
    return ReportInputs(
        title="SelfPose3d, demo",
        dataset="studio (rendered people)",
        tables={"Methods": table.with_suffix(".csv")},
        experiments=[results / "free", results / "net-seed0", results / "net-seed1"],
        stages=[results / "stages" / "pose_l2-12ab"],
        scenes=[results / "scenes" / "studio_test_00"],
        truth=[results / "truth.parquet"],
        footage=Footage(
            results / "scenes" / "demo",
            results / "demo.parquet",
            "Training-free",
            results / "reprojection.json",
            note=source_note(results / "scenes" / "demo"),
        ),
        label_quality=write_label_quality(results),
        benchmarks=results / "benchmarks",
        jobs={"train/backbone": (), "train/pose": ("train/backbone",), "detect/studio_test_00": ()},
    )


def test_gathered_curves_have_the_total_of_their_terms(tmp_path: Path) -> None:
    stage = write_stage(tmp_path / "root-estimator-0123abcd")
    gather_curves({"estimator-seed0-root": stage}, tmp_path / "curves")
    (path,) = (tmp_path / "curves").iterdir()
    curves = pd.read_csv(path)
    assert path.name == "estimator-seed0-root.csv"
    assert list(curves) == ["iteration", "total", "loss", "attention"]
    np.testing.assert_allclose(curves["total"], curves["loss"] + curves["attention"])


def test_published_figures_are_the_papers() -> None:
    table = read_published(REFERENCE / "table_1.csv").set_index("method")
    assert table.loc["SelfPose3d", list(METRICS)].tolist() == [55.1, 96.4, 98.5, 99.0, 99.6, 24.5]
    assert table.loc["VoxelPose", "MPJPE"] == 17.7
    labels = read_published(REFERENCE / "table_16.csv").set_index("method")
    assert labels["AP25"].tolist() == [51.6, 54.2, 55.1]
    assert labels["MPJPE"].tolist() == [24.8, 24.6, 24.5]
    assert labels.index.tolist() == [
        f"SelfPose3d: {kind}" for kind in ("soft", "hard", "soft & hard")
    ]
    newer = read_published(REFERENCE / "newer.csv").set_index("method")
    assert newer.loc["DisPOSE", list(METRICS)].tolist() == [68.6, 98.6, 99.6, 99.8, 99.9, 21.2]


def test_table_gives_means_and_spreads_over_seeds(results: Path) -> None:
    rows = [row_of([results / "free"]), row_of([results / "net-seed0", results / "net-seed1"])]
    table = make_table(rows)
    assert table["seeds"].tolist() == [1, 2]
    assert table["MPJPE"].tolist() == pytest.approx([LOW_MPJPE, HIGH_MPJPE + 0.5])
    assert np.isnan(table["MPJPE_sd"][0])
    assert table["MPJPE_sd"][1] == pytest.approx(np.std([0, 1], ddof=1))


def test_rows_are_compared_seed_by_seed(results: Path, tmp_path: Path) -> None:
    truth = read_poses3d(results / "truth.parquet")
    base, other = (
        [write_experiment(tmp_path / f"{name}-{seed}", name, truth, 50.0, seed) for seed in seeds]
        for name, seeds in (("base", (0, 1, 2)), ("other", (1, 2)))
    )
    for folder, error in zip(other, (60.0, 40.0), strict=True):
        write_json(folder / "metrics.json", {**read_json(folder / "metrics.json"), "MPJPE": error})
    write_table([base, other], "Seeds", tmp_path / "table")
    table = read_table(tmp_path / "table.csv")
    assert np.isnan(table["MPJPE_paired"][0])
    assert table["MPJPE_paired"][1] == pytest.approx((60 - 51 + 40 - 52) / 2)
    assert table["MPJPE_paired_sd"][1] == pytest.approx(np.std([9, -12], ddof=1))
    markdown = (tmp_path / "table.md").read_text()
    assert "| paired [mm] |" in markdown and "| -1.5 ± 14.8 |" in markdown
    assert "seed by seed" in markdown


def test_best_is_bold_only_beyond_the_spread_of_seeds(results: Path, tmp_path: Path) -> None:
    several = [[results / "free"], [results / "net-seed0", results / "net-seed1"]]
    write_table(several, "Seeds", tmp_path / "several")
    markdown = (tmp_path / "several.md").read_text()
    assert re.findall(r"\*\*(.+?)\*\*", markdown) == [f"{LOW_MPJPE}"], "AP25 2.0 and 2.5 ± 0.7"
    assert "Ours: 1 sequence, 4 frames, 12 people, up to 2 seeds" in markdown
    write_table([[results / "free"], [results / "net-seed0"]], "One seed", tmp_path / "one")
    markdown = (tmp_path / "one.md").read_text()
    assert "**" not in markdown and "one seed: no spread known" in markdown


def test_written_table_reads_back_and_marks_the_published(inputs: ReportInputs) -> None:
    path = inputs.tables["Methods"]
    table = read_table(path)
    assert (table["data"] == PUBLISHED_DATA).sum() == 8
    assert table["method"][:2].tolist() == ["Training-free", "SelfPose3d (images)"]
    markdown = path.with_suffix(".md").read_text()
    assert "**44.8**" in markdown and "another data set" in markdown and "| –" in markdown
    latex = path.with_suffix(".tex").read_text()
    assert r"\toprule" in latex and r"\textbf{44.8}" in latex and "Recall@500" in latex
    assert not re.search(r"(?<!\\)[%_#]", latex)


def test_table_names_what_a_metrics_file_lacks(results: Path, tmp_path: Path) -> None:
    write_experiment(tmp_path / "old", "Old", read_poses3d(results / "truth.parquet"), 50.0)
    write_json(tmp_path / "old" / "metrics.json", {"AP25": 1.0})
    with pytest.raises(InputError, match=r"metrics\.json: lacks \['AP50'"):
        make_table([row_of([tmp_path / "old"])])


def test_published_tables_are_read_whole() -> None:
    for path in sorted(REFERENCE.glob("table_*.csv")):
        table = read_published(path)
        number = path.stem.removeprefix("table_")
        assert (table["source"] == f"SelfPose3d (CVPR 2024) table {number}").all(), path
        assert table["data"].str.endswith("(published)").all()
        assert not table.duplicated(["method", "data"]).any()


def test_rows_by_sequence_and_number_of_people(results: Path, tmp_path: Path) -> None:
    folders = [[results / "free"], [results / "net-seed0", results / "net-seed1"]]
    columns = ("AP25", "AP50", "MPJPE")
    groups = ("per_sequence", "per_people")
    write_table(
        folders, "By sequence", tmp_path / "t", columns, [REFERENCE / "table_8.csv"], groups
    )

    table = read_table(tmp_path / "t.csv").set_index(["method", "data"])
    net, parts = "SelfPose3d (images)", ("", ", studio_test_00 (3.0 people per frame)")
    parts += (", 2 people in the frame", ", 3 people in the frame")
    titles = [(name, f"studio ring5{part}") for name in ("Training-free", net) for part in parts]
    assert table.index[:8].tolist() == titles
    sequence = table.loc[net, "studio ring5, studio_test_00 (3.0 people per frame)"]
    assert sequence["MPJPE"] == pytest.approx(HIGH_MPJPE + 0.5)
    assert sequence["MPJPE_sd"] == pytest.approx(np.std([0, 1], ddof=1))
    two = table.loc[net, "studio ring5, 2 people in the frame"]
    assert two["MPJPE"] == pytest.approx(HIGH_MPJPE - 10)
    published = "SelfPose3d: 160906_pizza1 (6 people) [2D pseudo labels]"
    assert table.loc[published, PUBLISHED_DATA]["AP25"] == 48.6
    assert (tmp_path / "t.md").read_text().count(f"**{LOW_MPJPE}**") == 3, "best on the same data"


def test_nested_columns_and_columns_that_only_the_published_have(results: Path) -> None:
    rows = [row_of([results / "free"])]
    root = make_table(rows, ("root.AP50", "root.MPJPE"), [REFERENCE / "table_15.csv"])
    assert root["root.AP50"].tolist() == [90.0, 41.0, 34.0, 35.2]
    foreign = make_table(rows, ("MPJPE", "Shelf PCP"), [REFERENCE / "table_9.csv"])
    assert np.isnan(foreign["Shelf PCP"][0]) and foreign["Shelf PCP"].max() == 97.4
    assert (foreign["data"][1:] == "Shelf, Campus (published)").all()
    with pytest.raises(InputError, match=r"lacks \['Shelf PCP'"):
        make_table(rows, ("MPJPE", "Shelf PCP"))


def test_a_row_says_that_a_stage_diverged(results: Path, tmp_path: Path) -> None:
    truth = read_poses3d(results / "truth.parquet")
    folders = [
        write_experiment(tmp_path / f"{seed}" / "net", "Sigma 0.01", truth, 90.0, seed)
        for seed in (0, 1)
    ]
    assert row_of(folders).title == "Sigma 0.01"
    write_divergence(tmp_path / "1" / "stages/pose_l2-12ab", 7, "", 5)
    assert row_of(folders).title == "Sigma 0.01 (pose_l2 diverged, 1 of 2 seeds)"


def test_nobody_matched_is_printed_as_a_dash(results: Path, tmp_path: Path) -> None:
    metrics = dict.fromkeys(METRICS, 0.0) | {"MPJPE": None}
    write_experiment(tmp_path / "none", "None", read_poses3d(results / "truth.parquet"), 50.0)
    write_json(tmp_path / "none" / "metrics.json", metrics)
    write_table([[tmp_path / "none"]], "T", tmp_path / "t")
    assert (
        "| None | studio ring5 | 0.0 | 0.0 | 0.0 | 0.0 | 0.0 | – |"
        in (tmp_path / "t.md").read_text()
    )


def test_drawn_joints_are_the_projected_ones(results: Path) -> None:
    scene = read_scene(results / "scenes" / "studio_test_00")
    frame = scene.frames[0]
    people = read_poses3d(results / "truth.parquet")[scene.name, frame]
    pixels = visible_joints(scene.cameras[0], people)
    image = scene.read_image(scene.cameras[0].name, frame)
    drawn = draw_people(image, scene.cameras[0], people)
    x, y = pixels[0, 0].round().astype(int)
    assert (drawn[y, x] != image[y, x]).any()
    assert skeleton_svg(scene.cameras[0], people).count("<path") == len(people)


def test_joints_far_outside_are_not_folded_back_by_distortion(results: Path) -> None:
    scene = read_scene(results / "scenes" / "studio_test_00")
    camera = scene.cameras[0]
    strong = np.array([-0.4, 0.0, 0.0, 0.0, 0.0])
    bent = Camera(camera.name, camera.width, camera.height, camera.K, strong, camera.R, camera.t)
    people = read_poses3d(results / "truth.parquet")[scene.name, scene.frames[0]]
    people.joints[0, 0] = camera.centre + camera.R.T @ np.array([6000.0, 0.0, 2000.0])
    assert np.isnan(visible_joints(bent, people)[0, 0]).all()


def test_charts_hold_every_series() -> None:
    x = np.arange(5.0)
    chart = line_chart({"a": (x, x), "b <": (x, np.array([1, np.nan, 3, 4, 5]))}, "iteration", "y")
    assert chart.count("<polyline") == 2 and "b &lt;" in chart
    assert line_chart({"flat": (x, np.ones(5))}, "iteration", "loss").count("<polyline") == 1
    assert line_chart({"empty": (x, np.full(5, np.nan))}, "iteration", "loss") == ""
    assert bar_chart([("train", 3.0, "3 s"), ("none", 0.0, "0 s")]).count("<rect") == 2


def test_curves_leave_out_zeros_and_say_when_they_are_logarithmic(results: Path) -> None:
    curves = read_curves(results / "stages" / "pose_l2-12ab")
    chart = curves_svg(curves)
    assert "unused" not in chart and "loss (logarithmic)" in chart
    assert "logarithmic" not in curves_svg(curves[["iteration", "attention"]].tail(9))


def test_benchmarks_are_summed_by_rule(results: Path) -> None:
    jobs = read_benchmarks(results / "benchmarks")
    rules = time_by_rule(jobs).set_index("rule")
    assert rules.index.tolist() == ["train", "detect", "others"]
    assert rules.loc["train", "seconds"] == pytest.approx(90.0)
    assert rules.loc["train", "jobs"] == 2
    assert rules.loc["others", "jobs"] == 1 and np.isnan(rules.loc["others", "max_rss_mb"])
    assert read_benchmarks(results / "nowhere").empty


def test_the_longest_chain_is_of_measured_jobs_that_wait_for_one_another(results: Path) -> None:
    jobs = read_benchmarks(results / "benchmarks")
    waiting: dict[str, tuple[str, ...]] = {
        "detect/studio_test_00": (),
        "label/soft": ("detect/studio_test_00",),
        "train/backbone": (),
        "train/pose": ("label/soft",),
        "gather/all": ("train/pose", "train/backbone"),
    }
    chain = chain_of(jobs, waiting)
    assert (chain["rule"] + "/" + chain["job"]).tolist() == ["train/backbone", "gather/all"]
    assert chain["cpu_seconds"].sum() == pytest.approx(59.0)
    without = {job: awaited for job, awaited in waiting.items() if job != "train/backbone"}
    without["gather/all"] = ("train/pose",)
    assert chain_of(jobs, without)["seconds"].sum() == pytest.approx(42.8)
    assert chain_of(jobs, {}).empty


def test_the_report_tells_the_longest_chain(inputs: ReportInputs) -> None:
    said = "wait for one another: 1 min 30 s, 1 min 29 s of processor time"
    assert said in render_report(inputs)
    assert "wait for one another" not in render_report(replace(inputs, jobs={}))


def test_labels_and_heatmaps_stand_side_by_side_with_units(results: Path) -> None:
    quality = {title: read_json(path) for title, path in write_label_quality(results).items()}
    whole, scores, joints = label_tables(quality)
    assert whole["columns"] == ["", "Soft labels", "Learnt heatmaps"]
    assert ["found people", "93.1 %", "–"] in whole["rows"]
    assert ["PCK", "–", "74.2 %"] in whole["rows"]
    assert scores["rows"] == [["0.95 to 1", "69.0 %", "1.8 %", "3.0 %"]]
    assert joints["columns"][-2:] == ["Learnt heatmaps: PCK", "Learnt heatmaps: own side"]
    assert ["left wrist", "1.8 %", "3.0 %", "60.7 %", "83.3 %"] in joints["rows"]
    assert ["neck", "–", "–", "81.7 %", "–"] in joints["rows"]


def test_reprojection_is_told_by_camera_in_pixels_and_percent(results: Path) -> None:
    cameras, joints, counts = reprojection_tables(read_json(results / "reprojection.json"))
    assert cameras["rows"][1] == ["cam01", "20", "66", "77.3 %", "–", "7.9 px"]
    assert joints["rows"] == [["left wrist", "1.5 %"]]
    assert counts["rows"] == [["2", "8"], ["3", "12"]]


def test_charts_are_titled_by_stage_and_experiments(results: Path) -> None:
    stage, foreign = results / "stages" / "pose_l2-12ab", results / "stages" / "root-00ff"
    one = [results / "free", results / "net-seed0"]
    users = "pose_l2: Training-free; SelfPose3d (images)"
    assert stage_titles([stage, foreign], one) == [users, "root-00ff"]
    assert stage_titles([stage], [*one, results / "net-seed1"]) == [f"{users} (seed 0, 1)"]


def test_pictures_of_an_experiment(results: Path) -> None:
    scene = read_scene(results / "scenes" / "studio_test_00")
    frames = read_poses3d(results / "free" / "predictions.parquet")
    drawn = pictures(scene, frames)
    assert list(drawn) == [f"studio_test_00 {camera.name}" for camera in scene.cameras]
    for camera in scene.cameras:
        plain = scene.read_image(camera.name, scene.frames[len(scene.frames) // 2])
        assert drawn[f"studio_test_00 {camera.name}"].shape == plain.shape
        assert (drawn[f"studio_test_00 {camera.name}"] != plain).any()


def test_report_leaves_out_what_is_not_given() -> None:
    html = render_report(ReportInputs(title="Nothing yet", dataset="studio"))
    assert "Nothing yet" in html and "<section" not in html


@pytest.fixture
def own_run(results: Path, tmp_path: Path) -> Path:
    """An experiment on data without truth."""
    return write_agreement(
        tmp_path / "own", "Training-free", read_poses3d(results / "demo.parquet")
    )


def test_without_truth_the_report_shows_agreement_and_rigs_with_what_is_bad(
    results: Path, own_run: Path, tmp_path: Path
) -> None:
    rig = write_rig_check(tmp_path / "rig-12ab" / "walk")
    scenes = [results / "scenes" / "demo"]
    page = render_report(
        ReportInputs("Mine", "Own cameras", experiments=[own_run], scenes=scenes, rigs=[rig])
    )
    text = re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", page))
    assert "left#1 15 mm 3.2 px 92.5 % 96" in text and "right – – 0.0 % 40" in text
    assert "walk 15 mm 3.2 px 92.5 % 96 2.75 4" in text
    assert "Warning: Camera right: only 0% of the 2D people are explained." in text
    faults = re.findall(r'<p class="note strong">([^<]*)</p>', page)
    assert faults[-2:] == ["Warning: 1 fault was found.", "Camera right lags."]
    assert "<li>Camera left: 92% are explained.</li>" in page and "data:image/jpeg" in page
    assert "<h2>Frames</h2>" in page and "eld-out" not in page


def test_the_report_says_of_which_parameters_it_is(inputs: ReportInputs) -> None:
    settings = {"data.source": "videos", "space.size": [6000.0, 6000.0, 2000.0]}
    page = render_report(replace(inputs, settings=settings))
    assert "2 parameters differ from params.yaml" in page and "<h2>Held-out frames</h2>" in page
    assert "<code>data.source: &#34;videos&#34;</code>" in page
    assert "<code>space.size: [6000.0, 6000.0, 2000.0]</code>" in page
    assert "differ from params.yaml" not in render_report(inputs)


def test_a_table_may_show_the_agreement(own_run: Path, tmp_path: Path) -> None:
    columns = ("reprojection_mm", "cameras.left#1.reprojection_px", "explained")
    write_table([[own_run]], "Mine", tmp_path / "mine", columns)
    lines = (tmp_path / "mine.md").read_text().splitlines()
    assert "reprojection [mm] | cameras left#1 reprojection [px] | explained |" in lines[2]
    assert lines[4].endswith("| 14.6 | 3.2 | 92.5 |")
    columns = ("explained", "people_per_frame")
    write_table([[own_run]], "Mine", tmp_path / "mine", columns, groups=["per_sequence"])
    lines = (tmp_path / "mine.md").read_text().splitlines()
    assert lines[2].endswith("explained | people per frame |")
    assert lines[4].endswith("| 92.5 | 2.8 |")
    assert "walk (2.8 people per frame) | 92.5 | 2.8 |" in lines[5]


def test_footage_of_another_scene_is_refused(results: Path) -> None:
    footage = Footage(results / "scenes" / "demo", results / "truth.parquet")
    with pytest.raises(InputError, match="holds no frame of the sequence demo"):
        render_report(ReportInputs(title="T", dataset="D", footage=footage))


def test_report_in_the_browser(inputs: ReportInputs, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(inputs, path)
    assert path.stat().st_size < 8e6
    with open_browser() as browser:
        browser.get(path.as_uri())
        assert console_errors(browser) == []
        assert requested_urls(browser) == [path.as_uri()]
        tables = [table.text for table in browser.find_elements(By.CSS_SELECTOR, ".results")]
        assert "44.8" in tables[0] and "another data set" in tables[0] and "24.5" in tables[0]
        assert "composited" in browser.find_element(By.ID, "footage").text
        assert "another data set" in browser.find_element(By.CSS_SELECTOR, ".published").text
        notes = browser.find_element(By.ID, "results").text
        assert "1 sequence, 4 frames, 12 people, up to 2 seeds" in notes
        for place in ("space", "frames", "footage"):
            assert "less than 50 %" in browser.find_element(By.ID, place).text
        assert "4 jobs of 3 rules" in browser.find_element(By.ID, "time").text
        _check_viewer(browser)
        _check_overlays(browser)
        _check_enlarged(browser)
        assert console_errors(browser) == [] and requested_urls(browser) == []


def _check_viewer(browser) -> None:  # type: ignore[no-untyped-def]
    canvas = browser.find_element(By.ID, "viewer")
    browser.execute_script("arguments[0].scrollIntoView({behavior: 'instant'})", canvas)

    def picture() -> str:
        return str(browser.execute_script("return arguments[0].toDataURL()", canvas))

    inked = browser.execute_script(
        "const c = arguments[0], d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        "let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n",
        canvas,
    )
    assert inked > 5000
    start = picture()
    ActionChains(browser).move_to_element(canvas).click_and_hold().move_by_offset(
        120, 30
    ).release().perform()
    turned = picture()
    assert turned != start
    browser.execute_script(
        "const s = document.getElementById('viewer-frame'); s.value = 2;"
        "s.dispatchEvent(new Event('input'))"
    )
    assert picture() != turned
    sequences = browser.find_elements(By.CSS_SELECTOR, "#viewer-sequence option")
    assert [option.text for option in sequences] == ["studio_test_00", "demo"]
    browser.execute_script("document.activeElement.blur()")
    still = picture()
    origin, page = ScrollOrigin.from_element(canvas), "return window.scrollY"
    before = browser.execute_script(page)
    ActionChains(browser).scroll_from_origin(origin, 0, 60).pause(0.5).perform()
    assert picture() == still and browser.execute_script(page) > before, "the page scrolls"
    canvas.send_keys("+")
    assert picture() != still


def test_a_sequence_never_starts_without_people(inputs: ReportInputs, tmp_path: Path) -> None:
    footage = replace(inputs.footage, method="Another method")
    write_report(replace(inputs, footage=footage, truth=[]), tmp_path / "report.html")
    with open_browser() as browser:
        browser.get((tmp_path / "report.html").as_uri())
        browser.find_element(By.CSS_SELECTOR, "#viewer-sequence option[value='1']").click()
        boxes = browser.find_elements(By.CSS_SELECTOR, "#viewer-layers label")
        shown = [box for box in boxes if box.is_displayed()]
        assert [box.text for box in shown] == ["Another method"]
        assert shown[0].find_element(By.TAG_NAME, "input").is_selected()


def test_narrow_screens_keep_the_methods_beside_figures(
    inputs: ReportInputs, tmp_path: Path
) -> None:
    write_report(inputs, tmp_path / "report.html")
    with open_browser() as browser:
        phone = {"width": 420, "height": 800, "deviceScaleFactor": 1, "mobile": True}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
        browser.get((tmp_path / "report.html").as_uri())
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 420
        scroll = browser.find_element(By.CSS_SELECTOR, "#results .scroll")
        method, first = browser.find_elements(By.CSS_SELECTOR, ".ours td")[:2]
        assert first.rect["x"] + first.rect["width"] < 300, "figures in view"
        left = method.rect["x"]
        browser.execute_script("arguments[0].scrollLeft = 200", scroll)
        assert scroll.get_property("scrollLeft") > 50
        assert method.rect["x"] == pytest.approx(left, abs=2)


def _check_overlays(browser) -> None:  # type: ignore[no-untyped-def]
    def shown() -> set[str]:
        layers = browser.find_elements(By.CSS_SELECTOR, "#frames .layer")
        return {layer.get_attribute("data-layer") for layer in layers if layer.is_displayed()}

    assert shown() == {"Training-free", "ground truth"}
    buttons = browser.find_elements(By.CSS_SELECTOR, "#frames button")
    browser.execute_script("arguments[0].click()", buttons[1])
    assert shown() == {"SelfPose3d (images)", "ground truth"}


def _check_enlarged(browser) -> None:  # type: ignore[no-untyped-def]
    picture = browser.find_element(By.CSS_SELECTOR, "#frames .enlarge")
    browser.execute_script("arguments[0].scrollIntoView({behavior: 'instant'})", picture)
    width = picture.rect["width"]
    browser.execute_script("arguments[0].click()", picture)
    large = browser.find_element(By.CSS_SELECTOR, "#enlarged svg")
    assert large.rect["width"] > 2 * width
    assert len(large.find_elements(By.CSS_SELECTOR, ".layer.shown")) == 2
    large.click()
    assert not browser.find_element(By.ID, "enlarged").is_displayed()


def test_table_of_a_foreign_csv_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(InputError, match="not a results table"):
        read_table(tmp_path / "a.csv")
    with pytest.raises(InputError, match="not published figures"):
        read_published(tmp_path / "a.csv")
