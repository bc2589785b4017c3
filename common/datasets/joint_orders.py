"""Indices of our joints in the joint orders of the data sets' own files (DATASETS.md has the tables)."""
from common.skeleton import H36M_16, H36M_17

# Indices of the 17 joints among the 32 joints of Human3.6M's files, in the order of H36M_17.
H36M_32_NUM_JOINTS = 32
H36M_17_IN_32 = dict(zip(H36M_17.names, (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)))
H36M_16_IN_32 = [H36M_17_IN_32[name] for name in H36M_16.names]
H36M_16_IN_17 = H36M_17.joints(*H36M_16.names)

# Indices of our joints among the 24 joints of SPIN's files, to which its 3DHP file belongs.
SPIN_24 = dict(Hip=14, RHip=2, RKnee=1, RFoot=0, LHip=3, LKnee=4, LFoot=5, Spine=16, Thorax=12, Head=18,
               LShoulder=9, LElbow=10, LWrist=11, RShoulder=8, RElbow=7, RWrist=6)
H36M_16_IN_SPIN_24 = [SPIN_24[name] for name in H36M_16.names]
