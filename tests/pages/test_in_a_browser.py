"""Pages in a real browser. Oracles: Chromium's console and its list of requests, axe-core 4.10.3.

Skipped by name where there is no Chromium with its driver; `.ci/run` installs it where it may, and
sets CNNRUN_BROWSER, with which an absent browser is a failure.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from cnnrun.evaluation.label_scores import score_labels
from cnnrun.pages.comparison_page import ComparedWords, comparison_page
from cnnrun.pages.figures import svg
from cnnrun.pages.page_files import (
    LabelPicture,
    LabelTested,
    PictureMaps,
    in_base64,
    write_maps,
)
from cnnrun.pages.run_page import write_run_page
from cnnrun.pages.study_page import write_study_page
from cnnrun.pages.thumbnails import thumbnail
from cnnrun.plots.label_grids import co_occurrence_grid, label_confusion_grid
from cnnrun.runs.comparing import compare_runs
from cnnrun.runs.files import write_json, write_text
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.result import read_result, write_result

pytestmark = pytest.mark.browser

HOSTILE = "<script>alert(1)</script>"
AXE = Path(__file__).with_name("axe.min.js")
ASK_AXE = """
const done = arguments[0];
axe.run().then((found) => done(found.violations.map(
  (each) => `${each.id}: ${each.nodes[0].html} ${each.nodes[0].failureSummary}`)));
"""
SHORTENED = """
const rest = "tbody tr:nth-child(n+31), .picture:nth-of-type(n+31)";
document.querySelectorAll(rest).forEach((each) => each.remove());
"""
VIEWS = {"desk": (1280, "light"), "phone": (390, "light"), "night": (1280, "dark")}

MakePage = Callable[[], Path]


@pytest.fixture(scope="session")
def browser() -> Iterator[webdriver.Chrome]:
    """Chromium without a window, one for all tests."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        assert "CNNRUN_BROWSER" not in os.environ, "CI has to have Chromium"
        pytest.skip("needs Chromium: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    # Root may start it without its sandbox alone; the pages are our own.
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture
def pages(
    make_run: Callable[..., Any], make_study: Callable[..., Any], tmp_path: Path
) -> dict[str, MakePage]:
    """Makes pages of all kinds, by name."""

    def of_run(**options: Any) -> MakePage:
        return lambda: write_run_page(make_run(**options))

    def of_labels() -> Path:
        names = (HOSTILE, "b" * 90, "{{ 1 }}", *(f"label {number}" for number in range(9)))
        return write_run_page(with_labels(make_run(classes=names), names))

    def of_damaged() -> Path:
        run = make_run()
        write_text(run.result_json, "{")
        write_text(run.page / "tested.json", "[")
        return write_run_page(run)

    def of_comparison() -> Path:
        runs = [make_run(name, with_page=name == "one") for name in ("one", "other")]
        changed = runs[1].resolved_yaml.read_text().replace("epochs: 2", "epochs: 7")
        write_text(runs[1].resolved_yaml, changed)
        text = runs[1].predictions_csv.read_text().replace(",dog,dog,", ",dog,cat,", 3)
        write_text(runs[1].predictions_csv, text)
        rows = (("accuracy", "-0.02", "-0.1 to 0.06", "1.000"),)
        columns = ("measure", "difference", "95 % interval", "p")
        words = ComparedWords(2, ("group 2 less group 1", "It reaches far."), columns, rows)
        page = tmp_path / "comparison.html"
        compared = compare_runs([run.path for run in runs])
        write_text(page, comparison_page(compared, [words], ["group 3: why"]))
        return page

    return {
        "run": of_run(),
        "maps": of_run(with_maps=True),
        "labels": of_labels,
        "hostile": of_run(classes=(HOSTILE, "b" * 90, "{{ 1 }}")),
        "forty classes": of_run(classes=tuple(f"class {n}" for n in range(40)), images=200),
        "thousand classes": of_run(
            classes=tuple(f"class {n}" for n in range(1000)), images=1000, side=96
        ),
        "without page": of_run(with_page=False),
        "without test": of_run(with_test=False),
        "failed": of_run(state="failed"),
        "running": of_run(state="running"),
        "damaged": of_damaged,
        "study": lambda: write_study_page(make_study().path),
        "fifty arms": lambda: write_study_page(
            make_study((HOSTILE, *(f"arm {n}" for n in range(49))), seeds=2).path
        ),
        "comparison": of_comparison,
    }


def with_labels(run: RunFolder, names: tuple[str, ...]) -> RunFolder:
    """The run as one whose images have several labels, calibrated, with maps of its mistakes."""
    random = np.random.default_rng(0)
    labels = random.integers(-1, 2, (50, len(names))).astype(np.int32)
    scores = score_labels(
        random.random(labels.shape),
        labels,
        thresholds=np.full(len(names), 0.5),
        per_image_loss=random.random(50),
        seed=0,
    )
    webp = in_base64(thumbnail(random.integers(0, 256, (8, 8, 3)).astype(np.uint8), of=8))
    drawings = (
        label_confusion_grid(scores.confusion, labels=names),
        co_occurrence_grid(scores.together, labels=names),
    )
    tested = LabelTested(
        rows=tuple(scores.classes_as_json(names)),
        pictures=tuple(
            LabelPicture(f"{name}/1.png", number, bool(number % 2), 0.9, webp)
            for number, name in enumerate(names)
        ),
        confusion=in_base64(svg(drawings[0])),
        together=in_base64(svg(drawings[1])),
    )
    write_json(run.page / "labels.json", asdict(tested))
    webps = {(each.path, each.label): webp for each in tested.pictures}
    write_maps(run, PictureMaps("conv_block_1_act", 8, 8, webps))
    result = read_result(run)
    write_result(run, replace(result, test=scores.as_json(), baselines={"prevalence": 0.5}))
    numbers = {"negative_log_likelihood": 0.4, "brier": 0.1, "ece": {"value": 0.05}}
    calibration = {
        "method": "temperature",
        "labels": list(names),
        "fitted_on": {"split": "validation", "images": 40},
        "test": {"before": numbers, "after": numbers},
        "notes": [f"left as it is: {HOSTILE}"],
    }
    write_json(run.calibration_json, calibration)
    return run


PAGES = (
    "run",
    "maps",
    "labels",
    "hostile",
    "forty classes",
    "thousand classes",
    "without page",
    "without test",
    "failed",
    "running",
    "damaged",
    "study",
    "fifty arms",
    "comparison",
)


def opened(browser: webdriver.Chrome, page: Path, *, view: str = "desk") -> None:
    """Shows a page; what the browser told of earlier ones is forgotten."""
    width, scheme = VIEWS[view]
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(page.as_uri())


def requests(browser: webdriver.Chrome) -> set[str]:
    """The addresses that a page has asked for, but for what stands in it."""
    events = [json.loads(each["message"])["message"] for each in browser.get_log("performance")]
    asked = [each for each in events if each["method"] == "Network.requestWillBeSent"]
    addresses = {each["params"]["request"]["url"] for each in asked}
    return {each for each in addresses if not each.startswith("data:")}


def violations(browser: webdriver.Chrome) -> list[str]:
    """What axe finds; of a long table or many pictures it gets the first, for it takes minutes."""
    browser.execute_script(SHORTENED)
    browser.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE.read_text(encoding="utf-8")})
    return list(browser.execute_async_script(ASK_AXE))


def shown(browser: webdriver.Chrome) -> int:
    pictures = browser.find_elements(By.CSS_SELECTOR, ".picture[data-true]")
    return sum(each.is_displayed() for each in pictures)


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_complained_of_or_asked_for(
    browser: webdriver.Chrome, pages: dict[str, MakePage], name: str
) -> None:
    page = pages[name]()
    for view in VIEWS if name in ("run", "labels", "study", "comparison") else ("phone",):
        opened(browser, page, view=view)
        assert browser.get_log("browser") == []
        assert requests(browser) == {page.as_uri()}
        assert violations(browser) == []
        width = browser.execute_script("return document.documentElement.scrollWidth")
        assert width <= VIEWS[view][0]
    for picture in browser.find_elements(By.TAG_NAME, "img")[:50]:
        assert browser.execute_script("return arguments[0].naturalWidth", picture) > 0


def test_every_page_is_tried(pages: dict[str, MakePage]) -> None:
    assert set(pages) == set(PAGES)


def test_a_cell_of_the_matrix_shows_its_pictures(
    browser: webdriver.Chrome, pages: dict[str, MakePage]
) -> None:
    opened(browser, pages["run"]())
    cell = browser.find_element(By.CSS_SELECTOR, "[aria-label='10 of cat called dog']")
    status = browser.find_element(By.CSS_SELECTOR, ".filter")
    assert (shown(browser), status.is_displayed()) == (40, False)
    cell.click()
    assert shown(browser) == 10
    assert "10 of cat called dog: 10 pictures." in status.text
    assert cell.get_attribute("aria-pressed") == "true"
    cell.click()
    assert shown(browser) == 40
    cell.send_keys(Keys.ENTER)
    assert shown(browser) == 10
    status.find_element(By.TAG_NAME, "button").click()
    assert (shown(browser), status.is_displayed()) == (40, False)
    assert browser.switch_to.active_element == cell


def test_arrows_lead_through_the_matrix_which_is_one_stop(
    browser: webdriver.Chrome, pages: dict[str, MakePage]
) -> None:
    opened(browser, pages["run"]())
    cells = browser.find_elements(By.CSS_SELECTOR, ".matrix button")
    assert [each.get_attribute("tabindex") for each in cells] == ["0", "-1", "-1"]
    browser.execute_script("arguments[0].focus()", cells[0])
    for key, reached in ((Keys.ARROW_RIGHT, 1), (Keys.ARROW_DOWN, 2), (Keys.ARROW_RIGHT, 2)):
        browser.switch_to.active_element.send_keys(key)
        assert browser.switch_to.active_element == cells[reached]


def column(table: WebElement, number: int) -> list[str]:
    return [
        row.find_elements(By.XPATH, "./*")[number].text
        for row in table.find_elements(By.CSS_SELECTOR, "tbody tr")
        if row.is_displayed()
    ]


def test_tables_sort_and_filter(browser: webdriver.Chrome, pages: dict[str, MakePage]) -> None:
    opened(browser, pages["study"]())
    table = browser.find_element(By.CSS_SELECTOR, "table[data-filter]")
    names = [each.text for each in table.find_elements(By.TAG_NAME, "th")[:6]]
    place = next(number for number, name in enumerate(names) if name.startswith("test_loss"))
    heading = table.find_elements(By.TAG_NAME, "th")[place]
    for order, is_falling in (("ascending", False), ("descending", True)):
        heading.find_element(By.TAG_NAME, "button").click()
        assert heading.get_attribute("aria-sort") == order
        losses = list(map(float, column(table, place)))
        assert losses == sorted(losses, reverse=is_falling)
    browser.find_element(By.CSS_SELECTOR, ".table-filter input").send_keys("before 0.34")
    assert column(table, 0) == ["before"]
    assert browser.find_element(By.CSS_SELECTOR, ".table-filter [role=status]").text == "1 of 8"


def test_without_script_everything_is_there_and_nothing_filters(
    browser: webdriver.Chrome, pages: dict[str, MakePage]
) -> None:
    page = pages["run"]()
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        opened(browser, page)
        assert shown(browser) == 40
        cells = browser.find_elements(By.CSS_SELECTOR, ".matrix button")
        assert [each.text for each in cells] == ["10", "10", "20"]
        assert not any(each.is_enabled() for each in cells)
        assert not browser.find_elements(By.CSS_SELECTOR, "th button")
        assert "A cell shows its pictures" not in browser.find_element(By.TAG_NAME, "main").text
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_a_page_can_be_printed(browser: webdriver.Chrome, pages: dict[str, MakePage]) -> None:
    opened(browser, pages["run"]())
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    frames = browser.find_elements(By.CSS_SELECTOR, ".wide")
    assert {each.value_of_css_property("overflow-x") for each in frames} == {"visible"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert len(browser.execute_cdp_cmd("Page.printToPDF", {})["data"]) > 10_000
