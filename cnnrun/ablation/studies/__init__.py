"""Study files: what is asked, what is varied, what is tested. Begin with study.py."""
