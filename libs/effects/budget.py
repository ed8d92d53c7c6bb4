"""A provider's quota as a budget: tokens that come back with time. Reads no clock."""


class Budget:
    """`per_second` calls on average, `burst` at once."""

    def __init__(self, per_second: float, burst: int) -> None:
        self.per_second, self.burst = per_second, burst
        self._left, self._seen = float(burst), 0.0

    def available(self, now: float) -> int:
        """Return how many calls may begin now (seconds; of a clock set back, from then on)."""
        self._left = min(self.burst, self._left + max(0.0, now - self._seen) * self.per_second)
        self._seen = now
        return int(self._left)

    def wait(self, now: float) -> float:
        """Return the seconds until a call may begin, a hundredth at least where none may."""
        return 0.0 if self.available(now) > 0 else max(0.01, (1 - self._left) / self.per_second)

    def spend(self, calls: int) -> None:
        """Take calls from the budget."""
        self._left -= calls

    def pause(self, now: float, seconds: float) -> None:
        """Allow nothing for so long: the provider said that it is too much."""
        self.available(now)
        self._left = min(self._left, -seconds * self.per_second)
