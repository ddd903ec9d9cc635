"""``knee-cds review``: write ``OPEN.md``, the open questions for a clinician and the effect of each choice."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from cds_service.base.errors import WrongSetting
from cds_service.base.files import read_texts
from cds_service.base.settings import Settings
from cds_service.cli.open_page import Tried, page
from cds_service.cli.trying import Changed, Examples, without
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.decisions import OPEN_PAGE, Alternative
from cds_service.clinical.content.loading.load import load, parsed
from cds_service.clinical.content.loading.places import value_at
from cds_service.clinical.content.unstudied import Chosen, chosen_weights
from cds_service.service.evaluate import Service
from cds_service.service.examples import EXAMPLES


def run(settings: Settings) -> None:
    """Write the page into the content folder.

    Raises:
        ContentError: the content, or the content with an alternative, has errors.
        WrongSetting: there are no example patients next to the content.
    """
    path = settings.cards / OPEN_PAGE
    path.write_text(written(settings), encoding="utf-8")
    Console().print(Text(f"The open questions for a clinician are written to {path}."), soft_wrap=True)


def written(settings: Settings) -> str:
    """Return the page for the present content. Raises as ``run`` does."""
    folder = settings.cards.resolve().parent / EXAMPLES
    if not folder.is_dir():
        raise WrongSetting(f"Trying alternatives needs the example patients, but there is no folder {folder}.")
    # Ignore a site's own codes and clients: the project's clinicians do not decide about them.
    service = Service.from_settings(
        settings.model_copy(update={"local_codes": None, "clients": None, "card_layout": "differential"})
    )
    content = service.content
    examples = Examples(service, folder)
    files = parsed(read_texts(settings.cards))
    standing = {
        (at.file, at.place): value_at(files[at.file], at.place)
        for decision in content.decisions.values()
        for at in decision.at
    }
    return page(content, Tried(len(examples), _decided(settings, content, examples), _left_out(examples)), standing)


def _decided(settings: Settings, content: Content, examples: Examples) -> dict[tuple[str, int], list[Changed]]:
    texts = read_texts(settings.cards, ".toml", ".tsv")

    def tried(alternative: Alternative) -> list[Changed]:
        pathway = alternative.pathway or settings.pathway
        return examples.by_content(load(texts, pathway, changes=alternative.changes))

    return {
        (key, place): tried(alternative)
        for key, decision in content.decisions.items()
        for place, alternative in enumerate(decision.alternatives)
        if alternative.can_be_tried
    }


def _left_out(examples: Examples) -> list[tuple[Chosen, list[Changed]]]:
    content = examples.service.content
    return [
        (
            chosen,
            examples.by_weights(
                without(content, chosen.cause, chosen.weight.finding, dict.fromkeys(chosen.sides, 1.0)),
                frozenset({chosen.weight.finding}),
            ),
        )
        for chosen in chosen_weights(content)
    ]
