# What the scripts of all images with Asterisk do in the end. They have set where it listens: `trunks` and `agents` (an
# address with a port), `management` and `programs` (addresses); and `further` settings of SIP, if there are any.
version=$(cat /oml/version)
mkdir -p /run/asterisk /var/lib/asterisk /var/log/asterisk /var/spool/asterisk
cat > /run/asterisk/transports.conf <<END
[global]
type=global
user_agent=OMniLeads lab asterisk $version
[trunk-transport]
type=transport
protocol=udp
bind=$trunks
[agent-transport]
type=transport
protocol=udp
bind=$agents
${further:-}
END
cat > /run/asterisk/manager.conf <<END
[general]
enabled=yes
port=5038
bindaddr=$management
[$AMI_USER]
secret=$AMI_PASSWORD
read=all
write=all
END
cat > /run/asterisk/http.conf <<END
[general]
enabled=yes
bindaddr=$programs
bindport=7088
END
cat > /run/asterisk/ari.conf <<END
[general]
enabled=yes
[$AMI_USER]
type=user
password=$AMI_PASSWORD
END
exec /usr/sbin/asterisk -fnv
