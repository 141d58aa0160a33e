"""One partition a video; the key is the video_id."""

import dagster as dg

videos = dg.DynamicPartitionsDefinition(name="videos")
