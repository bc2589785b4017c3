#!/bin/bash
# The paper on Slurm, one experiment for each task: sbatch examples/slurm.sh (not run: written without a Slurm to try it on)
#SBATCH --array=0-79 --gres=gpu:1 --cpus-per-task=2 --mem=8G --requeue --open-mode=append --signal=TERM@120
srun .venv/bin/python run_sweep.py paper --only "$SLURM_ARRAY_TASK_ID"
case $? in 75 | 130 | 143) scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID" ;; esac
