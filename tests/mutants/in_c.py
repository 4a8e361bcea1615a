from mutant import Mutant
IN_C: list[Mutant] = []
