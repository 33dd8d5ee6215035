"""Pretraining methods in PyTorch, with torchvision's and timm's networks: the peers of src/pretrain.

Each takes its options as pathlab names them, and gives the modules that are trained, a function of a batch's views and
classes to the loss, and what follows the optimizer's update. Views come in groups of one size, each [batch, 3, size, size].
`prepare` gives the module that computes for one.
"""

import copy
from functools import partial

import timm
import torch
import torchvision
from timm.layers import build_sincos2d_pos_embed
from timm.models.vision_transformer import Block
from torch import nn
from torch.nn.functional import cross_entropy, linear, log_softmax, mse_loss, normalize, softmax
from torch.optim.swa_utils import get_ema_multi_avg_fn


def resnet(depth):
    network = {18: torchvision.models.resnet18, 50: torchvision.models.resnet50}[depth](weights=None)
    features = network.fc.in_features
    network.fc = nn.Identity()
    return network, features


def mlp(inputs, hidden, outputs, norm="none", bias="every"):
    """norm: none, hidden or every; bias: none, hidden or every."""
    return nn.Sequential(
        nn.Linear(inputs, hidden, bias=bias != "none"),
        nn.BatchNorm1d(hidden) if norm != "none" else nn.Identity(),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, outputs, bias=bias == "every"),
        nn.BatchNorm1d(outputs) if norm == "every" else nn.Identity(),
    )


def copy_of(network):
    return copy.deepcopy(network).requires_grad_(False)


@torch.no_grad()
def move(slow, network, momentum):
    get_ema_multi_avg_fn(momentum)(list(slow.parameters()), list(network.parameters()), 1)


def supervised(prepare, depth, dropout, labelSmoothing, weighted, classes=20):
    assert not weighted, "classes weigh the same"
    backbone, features = resnet(depth)
    network = prepare(nn.Sequential(backbone, nn.Dropout(dropout), nn.Linear(features, classes)))

    def loss(groups, labels):
        return cross_entropy(network(groups[0][0]).float(), labels, label_smoothing=labelSmoothing)

    return [network], loss, lambda: None


def simclr(prepare, depth, hiddenSize, outputSize, temperature):
    backbone, features = resnet(depth)
    network = prepare(nn.Sequential(backbone, mlp(features, hiddenSize, outputSize, norm="every", bias="none")))

    def loss(groups, _):
        views = normalize(network(torch.cat(groups[0])).float(), dim=1)
        similarities = (views @ views.T / temperature).fill_diagonal_(-1e9)
        return cross_entropy(similarities, torch.arange(len(views)).roll(len(views) // 2))

    return [network], loss, lambda: None


def mocov2(prepare, depth, hiddenSize, outputSize, temperature, momentum, queueSize, batchNormGroups, headBatchNorm):
    assert not headBatchNorm, "the head has no batch norm"
    backbone, features = resnet(depth)
    network = nn.Sequential(backbone, mlp(features, hiddenSize, outputSize))
    network, slow = prepare(network), prepare(copy_of(network))
    queue = normalize(torch.randn(queueSize, outputSize), dim=1)
    place = 0
    fresh = None

    def encode(model, images):
        return normalize(torch.cat([model(group) for group in images.chunk(batchNormGroups)]).float(), dim=1)

    def deal(rows, piles):
        return rows.unflatten(0, (-1, piles)).transpose(0, 1).flatten(0, 1)

    def loss(groups, _):
        nonlocal fresh
        first, second = groups[0]
        queries = encode(network, first)
        with torch.no_grad():
            fresh = deal(encode(slow, deal(second, batchNormGroups)), len(second) // batchNormGroups)
        own = (queries * fresh).sum(1, keepdim=True)
        logits = torch.cat([own, queries @ queue.T], 1) / temperature
        return cross_entropy(logits, torch.zeros(len(logits), dtype=torch.int64))

    def after():
        nonlocal place
        queue[place : place + len(fresh)] = fresh
        place = (place + len(fresh)) % queueSize
        move(slow, network, momentum)

    return [network], loss, after


def byol(prepare, depth, hiddenSize, outputSize, momentum, classifier):
    backbone, features = resnet(depth)
    network = nn.Sequential(backbone, mlp(features, hiddenSize, outputSize, norm="hidden", bias="hidden"))
    network, slow = prepare(network), prepare(copy_of(network))
    predictor = prepare(mlp(outputSize, hiddenSize, outputSize, norm="hidden", bias="hidden"))

    def distance(predictions, targets):
        cosines = normalize(predictions.float(), dim=1) * normalize(targets.float(), dim=1)
        return 2 - 2 * cosines.sum(1).mean()

    def loss(groups, _):
        views = groups[0]
        first, second = [predictor(network(view)) for view in views]
        with torch.no_grad():
            to_second, to_first = [slow(view) for view in views]
        return distance(first, to_first) + distance(second, to_second)

    return [network, predictor], loss, lambda: move(slow, network, momentum)


class DinoHead(nn.Module):
    def __init__(self, inputs, hidden, bottleneck, outputs):
        super().__init__()
        layers = [nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, bottleneck)]
        self.mlp = nn.Sequential(*layers)
        self.weight_v = nn.Parameter(torch.randn(outputs, bottleneck))
        self.weight_g = nn.Parameter(torch.ones(outputs, 1))

    def forward(self, features):
        return linear(normalize(self.mlp(features), dim=1), self.weight_g * normalize(self.weight_v, dim=1))


def vit(**options):
    return timm.models.VisionTransformer(embed_dim=384, depth=12, num_heads=6, num_classes=0, **options)


def dino(prepare, dropPathRate, hiddenSize, bottleneckSize, outputSize, studentTemperature, teacherTemperature, momentum, centerMomentum, **_):
    student = vit(dynamic_img_size=True, drop_path_rate=dropPathRate)
    head = DinoHead(student.embed_dim, hiddenSize, bottleneckSize, outputSize)
    teacher = vit(dynamic_img_size=True).requires_grad_(False)
    teacher.load_state_dict(student.state_dict())
    teacher, slow_head = prepare(teacher), prepare(copy_of(head))
    student, head = prepare(student), prepare(head)
    center = torch.zeros(1, outputSize)
    mean = None

    def loss(groups, _):
        nonlocal mean
        sizes = [torch.cat(group) for group in groups]
        outputs = head(torch.cat([student(images) for images in sizes])).float()
        with torch.no_grad():
            given = slow_head(teacher(sizes[0])).float()
            mean = given.mean(0, keepdim=True)
            first, second = softmax((given - center) / teacherTemperature["from"], 1).chunk(2)
        views = log_softmax(outputs / studentTemperature, 1).unflatten(0, (-1, len(first)))
        agreed = (second * views[0]).sum() + (first * views[1]).sum() + ((first + second) * views[2:].sum(0)).sum()
        return -agreed / ((2 * len(views) - 2) * len(first))

    def after():
        center.lerp_(mean, 1 - centerMomentum)
        move(teacher, student, momentum)
        move(slow_head, head, momentum)

    return [student, head], loss, after


def fixed_positions(width, side=14):
    positions = torch.cat([torch.zeros(1, width), build_sincos2d_pos_embed([side, side], width)])
    return nn.Parameter(positions.unsqueeze(0), requires_grad=False)


class Mae(nn.Module):
    def __init__(self, width, depth, heads, kept):
        super().__init__()
        self.kept = kept
        self.encoder = vit()
        self.encoder.pos_embed = fixed_positions(self.encoder.embed_dim)
        norm = partial(nn.LayerNorm, eps=1e-6)
        self.embed = nn.Linear(self.encoder.embed_dim, width)
        self.mask_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.positions = fixed_positions(width)
        self.blocks = nn.Sequential(*[Block(width, heads, qkv_bias=True, norm_layer=norm) for _ in range(depth)])
        self.norm = norm(width)
        self.predict = nn.Linear(width, 3 * 16 * 16)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, images):
        """Predictions of the masked patches, and which those are, [batch, masked, 1]."""
        encoder = self.encoder
        patches = encoder.patch_embed(images) + encoder.pos_embed[:, 1:]
        batch, count, _ = patches.shape
        order = torch.rand(batch, count, device=images.device).argsort(1).unsqueeze(2)
        seen = patches.gather(1, order[:, : self.kept].expand(-1, -1, patches.shape[2]))
        first = (encoder.cls_token + encoder.pos_embed[:, :1]).expand(batch, -1, -1)
        latent = self.embed(encoder.norm(encoder.blocks(torch.cat([first, seen], 1))))
        tokens = torch.cat([latent[:, 1:], self.mask_token.to(latent.dtype).expand(batch, count - self.kept, -1)], 1)
        in_place = tokens.gather(1, order.argsort(1).expand(-1, -1, tokens.shape[2]))
        decoded = self.norm(self.blocks(torch.cat([latent[:, :1], in_place], 1) + self.positions))[:, 1:]
        masked = order[:, self.kept :]
        return self.predict(decoded.gather(1, masked.expand(-1, -1, decoded.shape[2]))), masked


def mae(prepare, maskRatio, decoder, normalizeTargets):
    network = prepare(Mae(**decoder, kept=int(196 * (1 - maskRatio))))

    def loss(groups, _):
        (images,) = groups[0]
        predicted, masked = network(images)
        patches = images.unflatten(2, (14, 16)).unflatten(4, (14, 16)).permute(0, 2, 4, 3, 5, 1).flatten(1, 2).flatten(2)
        targets = patches.gather(1, masked.expand(-1, -1, patches.shape[2]))
        if normalizeTargets:
            targets = (targets - targets.mean(2, keepdim=True)) / (targets.var(2, keepdim=True) + 1e-6).sqrt()
        return mse_loss(predicted.float(), targets)

    return [network], loss, lambda: None


METHODS = {"supervised": supervised, "simclr": simclr, "mocov2": mocov2, "byol": byol, "dino": dino, "mae": mae}
