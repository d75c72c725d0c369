"""What each plain process of Standfast does; none of them needs Ray."""
