from frame_pipeline.cli import main

main()
