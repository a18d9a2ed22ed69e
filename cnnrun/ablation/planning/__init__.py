"""From a study and a base config to arms, contrasts and cells. Begin with make_plan.py."""
