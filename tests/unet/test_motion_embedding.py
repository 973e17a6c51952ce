import torch

from giftune.unet.motion_embedding import MotionEmbedding


def test_the_text_is_as_it_was_at_the_start(rng):
    text = torch.randn(3, 7, 16, generator=rng)
    assert torch.equal(MotionEmbedding(16)(text, torch.tensor([0, 19, 1023])), text)


def test_each_token_gets_the_row_of_its_motion_and_only_that_row_learns(rng):
    embedding = MotionEmbedding(4, levels=5)
    with torch.no_grad():
        embedding.table.weight.copy_(torch.arange(20.0).view(5, 4))
    text = torch.randn(2, 3, 4, generator=rng)
    found = embedding(text, torch.tensor([3, 1]))
    for b, row in ((0, 3), (1, 1)):
        for token in range(3):
            torch.testing.assert_close(found[b, token], text[b, token] + 4 * row + torch.arange(4.0))
    found.sum().backward()
    assert embedding.table.weight.grad.abs().sum(dim=1).nonzero().flatten().tolist() == [1, 3]


def test_the_gain_makes_steps_of_the_table_larger(rng):
    text, moved = torch.randn(1, 3, 4, generator=rng), []
    for gain in (1.0, 20.0):
        embedding = MotionEmbedding(4, levels=5, gain=gain)
        optimizer = torch.optim.Adam(embedding.parameters(), lr=0.01)
        embedding(text, torch.tensor([2])).sum().backward()
        optimizer.step()
        moved.append(embedding(text, torch.tensor([2])) - text)
    torch.testing.assert_close(moved[1], 20 * moved[0])
    torch.testing.assert_close(moved[0], torch.full_like(text, -0.01))
