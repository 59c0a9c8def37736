# xfr in Perl, for the side that comes second: the objects as the handout has them, by Perl's own semop, shmread and shmwrite.
use strict;
use warnings;

my ($side, $keyfile) = @ARGV;
my ($device, $inode) = (stat $keyfile)[0, 1];
my $key = ord('x') << 24 | ($device & 0xff) << 16 | ($inode & 0xffff);
my ($free, $full, $lock) = (0, 1, 2);
my $set = semget($key, 0, 0) // die "semget: $!\n";

sub change {
    my ($semaphore, $by, $flags) = @_;
    semop($set, pack('s!s!s!', $semaphore, $by, $flags)) or die "semop: $!\n";
}

sub segment {
    return shmget($key, 4096, shift) // die "shmget: $!\n";
}

binmode STDIN;
binmode STDOUT;
if ($side eq 'write') {
    change($lock, -1, 010000);
    my $segment = segment(01600);
    my $length;
    do {
        $length = sysread(STDIN, my $piece, 4092) // die "read: $!\n";
        change($free, -1, 0);
        # No length but that of the piece: what follows it in the segment stays as it was.
        shmwrite($segment, pack('L a*', $length, $piece), 0, 4 + $length) or die "shmwrite: $!\n";
        change($full, 1, 0);
    } while ($length > 0);
    change($free, -1, 0);
    shmctl($segment, 0, 0) or die "shmctl: $!\n";
    semctl($set, 0, 0, 0) or die "semctl: $!\n";
} else {
    while (1) {
        change($full, -1, 0);
        my $segment = segment(0);
        shmread($segment, my $header, 0, 4) or die "shmread: $!\n";
        my $length = unpack('L', $header);
        die "a piece of $length bytes\n" if $length > 4092;
        my $piece = '';
        shmread($segment, $piece, 4, $length) or die "shmread: $!\n" if $length > 0;
        change($free, 1, 0);
        last if $length == 0;
        print $piece;
    }
}
