"""Map services: how long the way takes by road, and where an address is."""

from integrations.maps.amap import AMapMaps
from integrations.maps.tencent import TencentMaps

__all__ = ["AMapMaps", "TencentMaps"]
