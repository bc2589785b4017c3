"""The results published by the PoseAug authors (CVPR 2021): MPJPE in mm on the real data sets, as in README.md.

PUBLISHED_MM[lifter][test set] holds a pair (baseline, PoseAug) for each source of 2D in PUBLISHED_KEYPOINTS.
"""

PUBLISHED_KEYPOINTS = ('detectron_ft_h36m', 'cpn_ft_h36m_dbb', 'hr', 'gt')
PUBLISHED_MM = dict(
    mlp=dict(h36m=((60.3, 59.1), (55.1, 53.5), (51.5, 51.3), (41.4, 38.4)),
             dhp=((92.3, 81.4), (89.2, 80.0), (85.7, 74.8), (83.1, 73.8))),
    gcn=dict(h36m=((67.3, 65.5), (61.8, 60.5), (56.5, 55.4), (44.6, 41.0)),
             dhp=((108.7, 91.7), (100.0, 90.1), (96.1, 77.9), (97.7, 80.0))),
    stgcn=dict(h36m=((62.5, 60.8), (56.4, 54.7), (53.7, 51.5), (41.9, 36.4)),
               dhp=((95.9, 74.7), (92.4, 75.2), (84.5, 77.9), (87.6, 78.0))),
    videopose=dict(h36m=((60.9, 58.5), (55.9, 53.4), (52.2, 50.5), (41.5, 38.6)),
                   dhp=((93.4, 79.9), (91.1, 77.2), (85.9, 75.1), (85.4, 72.4))))
