"""What a network looks at: Grad-CAM, feature maps, filters, occlusion, and whether to believe it.

`explained_network` in network.py takes a network apart; each kind of picture is a module.
"""
