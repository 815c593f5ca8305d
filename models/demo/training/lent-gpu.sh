#!/bin/bash
# session.py on a machine that is lent for minutes and cannot fetch anything. From the repository's root, with the wheels in .whl
# and the .deb files in .gl (see README.md); leave models/demo/*/*.safetensors behind if what travels must be small.
#
#   bash models/demo/training/lent-gpu.sh start MINUTES [IN]     start it, in a process session of its own, from what IN holds
#   bash models/demo/training/lent-gpu.sh watch SECONDS PATTERN  until PATTERN is in its log, it ends, or time is up; then
#                                                                show the end of the logs and copy to $OUT what was packed since
set -u
WORK=/tmp/impasto-demo
case "$1" in
start)
  mkdir -p $WORK/gl $WORK/models $WORK/assets $WORK/out $WORK/seen
  for f in .gl/*.deb; do dpkg -x "$f" $WORK/gl; done
  export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}:$WORK/gl/usr/lib/x86_64-linux-gnu:$WORK/gl/lib/x86_64-linux-gnu
  python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade --target $WORK/site .whl/*.whl || exit 1
  export PYTHONPATH=$WORK/site PYTHONUNBUFFERED=1 OMP_NUM_THREADS=2
  cp -r models/demo $WORK/models/ && cp -r assets/clip $WORK/assets/
  FROM=()
  if [ -n "${3:-}" ]; then cp -r "$3" $WORK/in && FROM=(--from $WORK/in); fi
  python3 -c "import skia, diffusers, onnx, torch; print(torch.__version__, torch.cuda.get_device_name())" || exit 1
  cd $WORK/models/demo/training || exit 1
  setsid nohup python3 session.py --minutes "$2" --compile "${FROM[@]}" --data $WORK/data --runs $WORK/runs --out $WORK/out \
    >$WORK/session.log 2>&1 </dev/null &
  echo $! >$WORK/session.pid
  ;;
watch)
  for _ in $(seq 1 "$2"); do
    sleep 1
    grep -q -- "$3" $WORK/session.log && break
    kill -0 "$(cat $WORK/session.pid)" 2>/dev/null || { echo "the session has ended"; break; }
  done
  tail -c 5000 $WORK/session.log
  for f in $WORK/runs/*.out; do echo "-- $(basename "$f")"; tail -n 2 "$f" | cut -c1-300; done
  nvidia-smi --query-gpu=utilization.gpu,memory.used --format=csv,noheader
  uptime
  cp -u $WORK/session.log "$OUT"/
  for f in $WORK/out/*; do
    cmp -s "$f" "$WORK/seen/$(basename "$f")" || { cp "$f" "$OUT"/ && cp "$f" $WORK/seen/; }
  done
  ;;
*)
  echo "start or watch" >&2
  exit 2
  ;;
esac
