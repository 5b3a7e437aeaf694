"""The networks of bench/workloads.ts in PyTorch, and the optimiser of each."""
import numpy as np, torch, torch.nn as nn
from data import xavier

def lenet(rng):
    net = nn.Sequential(nn.Conv2d(1, 6, 5), nn.Sigmoid(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.MaxPool2d(2),
                        nn.Flatten(), nn.Linear(256, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10))
    with torch.no_grad():
        for layer, (w, b) in zip([m for m in net if hasattr(m, "weight")], xavier(rng)):
            layer.weight.copy_(torch.from_numpy(w)); layer.bias.copy_(torch.from_numpy(b))
    return net

def convnet(_):
    conv = lambda i, o: [nn.Conv2d(i, o, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*conv(3, 32), *conv(32, 64), *conv(64, 128), nn.Flatten(), nn.Linear(2048, 256), nn.ReLU(), nn.Linear(256, 10))

def normalised(i, o, kernel=3, stride=1, groups=1):
    return nn.Sequential(nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(o))

def modern_lenet(_):
    conv = lambda i, o: [normalised(i, o), nn.ReLU(inplace=True)]
    pair = lambda i, o: [*conv(i, o), *conv(o, o)]
    return nn.Sequential(*pair(1, 16), nn.MaxPool2d(2), *pair(16, 32), nn.MaxPool2d(2), *pair(32, 64), *head(64))

class Block(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.body = nn.Sequential(normalised(i, o, stride=stride), nn.ReLU(inplace=True), normalised(o, o))
        self.shortcut = nn.Identity() if stride == 1 and i == o else normalised(i, o, 1, stride)

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))

def resnet(_):
    group = lambda i, o, stride: [Block(i, o, stride), Block(o, o, 1)]
    return nn.Sequential(normalised(3, 16), nn.ReLU(inplace=True), *group(16, 16, 1), *group(16, 32, 2), *group(32, 64, 2), *head(64))

def mobilenet(_):
    conv = lambda *options: [normalised(*options), nn.ReLU(inplace=True)]
    separable = lambda i, o, stride: [*conv(i, i, 3, stride, i), *conv(i, o, 1)]
    return nn.Sequential(*conv(3, 32), *separable(32, 64, 1), *separable(64, 128, 2), *separable(128, 128, 1),
                         *separable(128, 256, 2), *separable(256, 256, 1), *head(256))

def head(channels):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]

def sgd(lr, momentum=0):
    return lambda parameters: torch.optim.SGD(parameters, lr=lr, momentum=momentum, foreach=True)

def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.001, fused=True)

NETS = {
    "lenet": (lenet, sgd(0.9)), "convnet": (convnet, sgd(0.01)), "convnetAdam": (convnet, adam),
    "modernLeNet": (modern_lenet, sgd(0.05, 0.9)), "resnet": (resnet, sgd(0.05, 0.9)), "mobilenet": (mobilenet, sgd(0.05, 0.9)),
}
