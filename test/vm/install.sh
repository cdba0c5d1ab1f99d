#!/bin/sh
# Run in the guest: installs the emperor as a package would, from the tree at /srv/emperor, and starts nothing.
set -eu
from=/srv/emperor
units=/usr/lib/systemd/system

mkdir -p /usr/lib/emperor /etc/emperor/vassals /srv/app
cp -a "$from/lib/." /usr/lib/emperor/
ln -sf ../lib/emperor/bin/emperor.js /usr/bin/emperor
install -m 0755 "$from/probe" /srv/app/probe
chown -R root:root /usr/lib/emperor /etc/emperor /srv/app

install -m 0644 "$from"/systemd/*.service "$units/"
version=$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
if [ "$version" -lt 254 ]; then
  install -m 0644 "$from/systemd/before-254/emperor-jails.service" "$units/"
  install -D -m 0644 "$from/systemd/before-254/emperor.service.conf" "$units/emperor.service.d/before-254.conf"
fi
systemctl daemon-reload
