# A filed in Perl that serves one client: the messages as the handout has them, by Perl's own msgget, msgsnd and msgrcv.
use strict;
use warnings;

$| = 1;
my ($keyfile) = @ARGV;
my ($device, $inode) = (stat $keyfile)[0, 1];
my $key = ord('f') << 24 | ($device & 0xff) << 16 | ($inode & 0xffff);
my $requests = msgget($key, 03600) // die "msgget: $!\n";
print "ready\n";
my $request;
defined msgrcv($requests, $request, 4099, 1, 0) or die "msgrcv: $!\n";
my ($type, $reply, $path) = unpack('l! l a*', $request);
open my $file, '<:raw', $path or die "open: $!\n";
while (read $file, my $piece, 1000) {
    msgsnd($reply, pack('l! a*', 1, $piece), 0) or die "msgsnd: $!\n";
}
msgsnd($reply, pack('l!', 2), 0) or die "msgsnd: $!\n";
msgctl($requests, 0, 0) or die "msgctl: $!\n";
