"""What put an item into its story, in words: the figures of `story_items.reasons` for a reader who does not know their names."""

from typing import Final

from aggregator.cleaning import plain_line
from aggregator.store.readonly import Row

__all__ = ["LIKENESSES", "in_words"]

LIKENESSES: Final = {  # 0 to 1
    "dense": "meaning", "grams": "words", "title": "words of the title", "names": "names", "skeletons": "consonants of names",
    "places": "places", "regions": "regions", "near": "nearness of places", "countries": "countries", "numbers": "figures",
    "dates": "dates",
}  # fmt: skip
_CLASHES: Final = {
    "numbers_clash": "other figures", "dates_clash": "other dates", "reach_clash": "other countries",
    "regions_clash": "other regions", "far": "places far apart", "same_outlet": "one outlet",
}  # fmt: skip


def in_words(why: Row) -> str:
    """One sentence or two from what `Reader.why` answers; figures that it has no word for are left to `--json`."""
    judged = [_judged(one) for one in why.get("judged", ())]
    if "reprint_of" in why:
        return "; ".join([f"it repeats the text of item {why['reprint_of']}{_named(why)}", *judged])
    told = []
    if "nearest_item_id" in why:
        told.append(
            f"{why['similarity']:.0%} sure of story s{why['story_id']}; most like item {why['nearest_item_id']}{_named(why)}"
        )
    elif why.get("template"):
        told.append("it began the story: its outlet prints such a title every day, with other figures")
    elif why.get("candidates") == 0:
        told.append("it began the story: nothing like it was live")
    else:
        told.append("it began the story: what was live was not like it enough")
    alike = [f"{word} {why[name]:.2f}" for name, word in LIKENESSES.items() if why.get(name, 0) > 0]
    if alike:
        told.append("alike in " + ", ".join(alike))
    against = [word for name, word in _CLASHES.items() if why.get(name, 0) > 0]
    if against:
        told.append("against it: " + ", ".join(against))
    if "days" in why:
        told.append(f"{why['days']:.1f} days apart")
    if "mean" in why:
        members = why.get("members", 1)
        whom = f"the {members} items asked" if members > 1 else "the one item asked"
        told.append(f"probability of one event, mean over {whom} {why['mean']:.2f}, best {why['best']:.2f}")
    return "; ".join([*told, *judged])


def _judged(one: Row) -> str:
    said = "the same event as" if one["same"] else "another event than"
    named = f"{plain_line(one['outlet'])}: {plain_line(one['title'])}"
    return f"asked, {plain_line(one['model'])} said on {one['at']}: {said} item {one['item_id']} ({named})"


def _named(why: Row) -> str:
    if not why.get("nearest_title"):
        return ""
    return f" ({plain_line(why.get('nearest_outlet') or '')}: {plain_line(why['nearest_title'])})"
