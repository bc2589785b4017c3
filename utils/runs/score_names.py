"""What scores are called in log.txt and in event files: the trainers write these names, the results table reads them."""

SCORE_COLUMNS = ('error_h36m_p1', 'error_h36m_p2', 'error_3dhp_p1', 'error_3dhp_p2')
TAGS = dict(h36m='posenet_H36M_test', dhp='posenet_mpi3d_loader_flip')
