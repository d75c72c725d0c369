"""What stands outside Ray and starts, watches and ends everything else."""
