"""Detections that come one entry or file per image -> frames in order, by the numbers in the images' names."""
import re
from pathlib import Path

MAX_SPREAD = 20              # frames from the first image to the last, per image that the file names


def frames_in_order(entries):
    """(image, people) pairs -> list of people for every frame from the first image to the last.

    An image is a number or a file name, and may come in several pairs. A number that is skipped becomes a frame without
    people. If a name has no number, the frames keep the order of the pairs.
    """
    people = {}
    for image, found in entries:
        people.setdefault(image, []).extend(found)
    numbers = {image: image if isinstance(image, int) else last_number(image) for image in people}
    if -1 in numbers.values():
        return list(people.values())
    if len(set(numbers.values())) < len(numbers):
        raise ValueError('two images have the same number; give one clip at a time')
    first, last = min(numbers.values()), max(numbers.values())
    if last - first >= MAX_SPREAD * len(numbers):
        raise ValueError(f'its {len(numbers)} images are numbered from {first} to {last}; number them as the frames of '
                         'one clip')
    by_number = {numbers[image]: found for image, found in people.items()}
    return [by_number.get(number, []) for number in range(first, last + 1)]


def last_number(name):
    """'clip_000123.jpg' -> 123; -1 for a name without a number."""
    digits = re.search(r'(\d+)\D*$', Path(name).stem)
    return int(digits[1]) if digits else -1
