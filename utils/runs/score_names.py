"""The names of scores in log.txt and in the event files. The trainers write them; the results table reads them."""

SCORE_COLUMNS = ('error_h36m_p1', 'error_h36m_p2', 'error_3dhp_p1', 'error_3dhp_p2')
HELD_OUT_TAG = 'held_out/p1score'      # with --validate_on
TAGS = dict(h36m='posenet_H36M_test', dhp='posenet_mpi3d_loader_flip')
