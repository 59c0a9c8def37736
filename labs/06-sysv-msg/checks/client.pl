# A getfile in Perl: the messages as the handout has them, by Perl's own msgget, msgsnd and msgrcv.
use strict;
use warnings;

my ($keyfile, $path) = @ARGV;
my ($device, $inode) = (stat $keyfile)[0, 1];
my $key = ord('f') << 24 | ($device & 0xff) << 16 | ($inode & 0xffff);
my $requests = msgget($key, 0) // die "msgget: $!\n";
my $reply = msgget(0, 0600) // die "msgget: $!\n";
msgsnd($requests, pack('l! l a*', 1, $reply, $path), 0) or die "msgsnd: $!\n";
my $answer = '';
while (1) {
    my $message;
    defined msgrcv($reply, $message, 8192, 0, 0) or die "msgrcv: $!\n";
    my ($type, $body) = unpack('l! a*', $message);
    last if $type == 2;
    die 'refused: ', $! = unpack('l', $body), "\n" if $type == 3;
    $answer .= $body;
}
msgctl($reply, 0, 0) or die "msgctl: $!\n";
binmode STDOUT;
print $answer;
