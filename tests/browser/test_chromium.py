from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_a_page_is_drawn_and_its_scripts_run(page: Page) -> None:
    page.set_content("<h1>Maggy</h1><script>document.title = document.querySelector('h1').textContent</script>")
    assert page.title() == "Maggy"
