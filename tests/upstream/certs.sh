#!/bin/sh
# SPDX-License-Identifier: MIT
# certs.sh DIR - a test CA and certificates for the stand-in upstream.
#
#	ca.pem			the CA that signed everything but other-ca.pem
#	cert.pem key.pem	localhost, 127.0.0.1, ::1; ECDSA P-256
#	rsa-cert.pem rsa-key.pem	the same with RSA 2048
#	wrong-host.pem		for elsewhere.example only; of key.pem
#	expired.pem		not valid any more; of key.pem
#	other-ca.pem		a CA that signed nothing here
set -eu

dir=${1:?usage: certs.sh DIR}
mkdir -p "$dir"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

ec_key()
{
	openssl ecparam -name prime256v1 -genkey -noout -out "$1"
}

# authority NAME KEY OUT
authority()
{
	ec_key "$2"
	openssl req -x509 -new -key "$2" -days 3650 -subj "/CN=$1" \
		-addext basicConstraints=critical,CA:TRUE \
		-addext keyUsage=critical,keyCertSign,cRLSign -out "$3"
}

# certificate NAMES KEY OUT [first-day last-day]
certificate()
{
	cat >"$work/ext" <<-END
		subjectAltName=$1
		basicConstraints=critical,CA:FALSE
		keyUsage=critical,digitalSignature,keyEncipherment
		extendedKeyUsage=serverAuth
	END
	openssl req -new -key "$2" -subj "/CN=standin" -out "$work/csr"
	if [ $# -le 3 ]; then
		openssl x509 -req -in "$work/csr" -CA "$dir/ca.pem" \
			-CAkey "$work/ca.key" -set_serial "0x$(openssl rand -hex 8)" \
			-days 3650 -extfile "$work/ext" -out "$3"
		return
	fi
	# Only `openssl ca` can set both dates on every version.
	: >"$work/index"
	openssl rand -hex 8 >"$work/serial"
	cat >"$work/conf" <<-END
		[ca]
		default_ca=here
		[here]
		database=$work/index
		serial=$work/serial
		new_certs_dir=$work
		default_md=sha256
		policy=any
		[any]
		commonName=supplied
	END
	openssl ca -batch -notext -config "$work/conf" -in "$work/csr" \
		-cert "$dir/ca.pem" -keyfile "$work/ca.key" \
		-startdate "$4" -enddate "$5" -extfile "$work/ext" -out "$3"
}

here=DNS:localhost,IP:127.0.0.1,IP:::1
exec 2>"$work/log"
if {
	authority "standin test CA" "$work/ca.key" "$dir/ca.pem" &&
	authority "another CA" "$work/other.key" "$dir/other-ca.pem" &&
	ec_key "$dir/key.pem" &&
	openssl genrsa -out "$dir/rsa-key.pem" 2048 &&
	certificate "$here" "$dir/key.pem" "$dir/cert.pem" &&
	certificate "$here" "$dir/rsa-key.pem" "$dir/rsa-cert.pem" &&
	certificate DNS:elsewhere.example "$dir/key.pem" \
		"$dir/wrong-host.pem" &&
	certificate "$here" "$dir/key.pem" "$dir/expired.pem" \
		20200101000000Z 20200201000000Z
}; then
	exit 0
fi
cat "$work/log" >&1
exit 1
