import pytest

from giftune.errors import InputError
from giftune.methods.number_words import in_words

KNOWN = """
0 zero
1 one
2 two
3 three
4 four
5 five
6 six
7 seven
8 eight
9 nine
10 ten
11 eleven
12 twelve
13 thirteen
14 fourteen
15 fifteen
16 sixteen
17 seventeen
18 eighteen
19 nineteen
20 twenty
21 twenty-one
30 thirty
38 thirty-eight
40 forty
52 fifty-two
67 sixty-seven
80 eighty
99 ninety-nine
100 one hundred
101 one hundred and one
110 one hundred and ten
219 two hundred and nineteen
345 three hundred and forty-five
999 nine hundred and ninety-nine
1000 one thousand
1001 one thousand and one
1023 one thousand and twenty-three
"""


@pytest.mark.parametrize("line", KNOWN.strip().splitlines())
def test_known_numbers(line):
    number, _, words = line.partition(" ")
    assert in_words(int(number)) == words


def test_all_are_different_and_are_made_of_the_words_of_smaller_ones():
    said = [in_words(number) for number in range(1024)]
    assert len(set(said)) == 1024
    for number in range(101, 1000):
        if number % 100:
            assert said[number] == f"{said[number // 100]} hundred and {said[number % 100]}"
    for number in range(21, 100):
        if number % 10:
            assert said[number] == f"{said[number - number % 10]}-{said[number % 10]}"


@pytest.mark.parametrize("number", [-1, 1024])
def test_others_have_no_row_in_the_table(number):
    with pytest.raises(InputError, match=f"motion is {number}, it must be between 0 and 1023"):
        in_words(number)
